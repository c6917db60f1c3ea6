#include "common/profile/table.h"
