#include "common/profile/series.h"
