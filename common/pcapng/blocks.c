#include "common/pcapng/blocks.h"
