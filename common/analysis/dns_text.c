#include "common/analysis/dns.h"
