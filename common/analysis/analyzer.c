#include "common/analysis/analyzer.h"
