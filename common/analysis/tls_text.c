#include "common/analysis/tls.h"
