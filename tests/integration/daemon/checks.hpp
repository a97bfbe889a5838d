#pragma once
// What the tests of the daemon share.
#include <chrono>
#include <string>

#include "daemon/core/clock.hpp"
#include "tools/harness/gateway.hpp"
#include "tools/harness/sim.hpp"

/// For the message of a failed check: states and reasons of the messages, and the end of the daemon's log.
std::string describe(conductor::harness::Gateway& gateway);

/// RFC 3339, from now.
std::string in_seconds(int seconds);

/// Waits until that many modems say "ready".
bool ready_modems(conductor::harness::Gateway& gateway, int count);

/// `count` messages to invented numbers in one request; true when each was accepted.
bool enqueue(conductor::harness::Gateway& gateway, int count, const nlohmann::json& more = nlohmann::json::object());

/// Every message that the network took has its report: delivered or undelivered. Waits for the last ones. Empty, or those that do not.
std::string without_report(conductor::harness::Gateway& gateway, const conductor::harness::Sim& sim, std::chrono::milliseconds limit);

/// The promise about every message, judged from outside: taken exactly once and known as sent or delivered; or unknown with a reason and
/// taken at most once. Empty, or what is broken, a line a message.
std::string lost_or_doubled(conductor::harness::Gateway& gateway, const conductor::harness::Sim& sim, int count);
