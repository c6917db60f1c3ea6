#include "common/profile/names.h"
