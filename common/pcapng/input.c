#include "common/pcapng/input.h"
