#include "common/profile/sketch.h"
