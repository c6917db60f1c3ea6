#include "common/profile/names.h"

const fc_profile_name fc_counter_names[FC_COUNTER_COUNT] = {
#define X(id, name, unit, sentence) {name, unit, sentence},
    FC_COUNTERS(X)
#undef X
};

const fc_profile_name fc_sketch_names[FC_SKETCH_COUNT] = {
#define X(id, name, unit, sentence) {name, unit, sentence},
    FC_SKETCHES(X)
#undef X
};

const fc_profile_name fc_series_names[FC_SERIES_COUNT] = {
#define X(id, name, unit, sentence) {name, unit, sentence},
    FC_SERIES_ROWS(X)
#undef X
};

const fc_profile_name fc_table_names[FC_TABLE_COUNT] = {
#define X(id, name, unit, sentence) {name, unit, sentence},
    FC_TABLES(X)
#undef X
};

const fc_trouble_name fc_trouble_names[FC_TROUBLE_COUNT] = {
#define X(id, name, per, severity, sentence) {name, sentence, FC_COUNTER_##per, severity},
    FC_TROUBLES(X)
#undef X
};

const fc_section_name fc_section_names[FC_SECTION_COUNT] = {
#define X(id, name, compare, sentence) {name, sentence, FC_COMPARE_##compare},
    FC_SECTIONS(X)
#undef X
};
