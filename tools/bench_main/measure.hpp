#pragma once
// The measurements of conductor-bench, each a JSON object.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/harness/gateway.hpp"
#include "tools/harness/process.hpp"

namespace conductor::bench {

struct RateRun {
    int modems = 1;
    int latency_ms = 500;  ///< of one submission on the simulated modem
    int messages = 40;
    bool reports = true;
    bool one_core = false;     ///< the daemon may use one core alone
    int sync_ms = 0;           ///< each fsync of the daemon takes so much longer
    bool trace_syncs = false;  ///< count fsync and fdatasync by strace, which slows the daemon down: a run of its own
};

/// Drains a queue, and says how close the modems came to being busy all the time, and what it cost.
nlohmann::json measure_rate(const RateRun& run);

/// From POST to the network's acceptance on an idle gateway, one message after the other, with modems that take no time.
nlohmann::json measure_idle_latency(int messages);

/// From the arrival of the last of three parts at an idle modem to the whole message on the socket, one after the other.
nlohmann::json measure_inbound_latency(int messages);

/// From kill -9 with a queue waiting and the start of the next process to its first submission on the wire, `runs` times. `journal`:
/// "host" or "modem".
nlohmann::json measure_restart(int runs, const std::string& journal);
/// A long queue: how fast a file of `messages` rows is taken in by conductorctl, what one message costs while they wait, how long a killed
/// daemon takes from its start to its first submission, and how much memory it needs.
nlohmann::json measure_queue(int messages);

/// From the insert of a row of scheduled_messages to the network's acceptance at modems that take no time, one row after the other, against
/// real PostgreSQL and PostgREST and the Realtime of the tests; and what a box with 8 modems needs then. `push`: by the doorbell, with a
/// poll a minute; else by a poll a second. "skipped" where a part of Supabase is missing.
nlohmann::json measure_push(int rows, bool push);

/// `rows` of Supabase that fall due at once, through one modem that takes `latency` for each, until all are told as delivered: what they
/// cost.
nlohmann::json measure_sync_cost(int rows, std::chrono::milliseconds latency);

/// How long fdatasync of 4 KiB takes where the benchmark's databases are.
nlohmann::json measure_disk(const std::filesystem::path& folder);

/// Throws `what` and the end of the daemon's log, where it is not good.
void require(bool good, const std::string& what, harness::Gateway& gateway);
/// The p-th quantile, 0-1, of values in any order; 0 for none.
double quantile(std::vector<double> values, double p);

}  // namespace conductor::bench
