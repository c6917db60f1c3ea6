#include "common/compare/compare.h"
