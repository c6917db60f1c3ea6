#include "common/analysis/icmp.h"
