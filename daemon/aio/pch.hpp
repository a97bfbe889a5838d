#pragma once
// Precompiled for every folder that does I/O.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"
