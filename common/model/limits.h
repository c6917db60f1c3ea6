/* limits.h: how much text a definition may hold, beyond what definition.h says. Within fc_model only. */
#ifndef FC_MODEL_LIMITS_H
#define FC_MODEL_LIMITS_H

enum {
    FC_INTERFACE_NAME_MAX = 15, /* IFNAMSIZ - 1 */
    FC_REGIONS_MAX = 64,        /* and zones */
    FC_SELECTOR_TEXT_MAX = 1024,
    FC_REASON_MAX = 1024,
    FC_OWNER_MAX = 256,
    FC_INCIDENT_ID_MAX = 128,
    FC_TAGS_MAX = 32,
    FC_TAG_VALUE_MAX = 256,
};

#endif
