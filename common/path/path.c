#include "common/path/path.h"
