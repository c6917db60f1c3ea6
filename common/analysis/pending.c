#include "common/analysis/pending.h"
