#include "common/profile/context.h"
