#pragma once
// Flight records on disk: the octets of a modem's last minutes, whole, saved when something went wrong. `flight` beside the database, files
// of mode 0600. Blocking; meant for the store's thread.
#include <string>
#include <string_view>

#include "daemon/core/clock.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/core/result.hpp"
#include "daemon/store/sqlite.hpp"

namespace conductor::service {

struct FlightLimits {
    static constexpr std::size_t most = 100;           ///< files; the oldest go first
    static constexpr std::chrono::minutes between{5};  ///< two records of one modem for one kind of incident
};

/// The folder beside the database of `tx`; empty for one that is in no folder: in memory, or on a simulated disk.
std::string flight_folder(store::Tx& tx);
/// Writes "20261122T060512Z-modem0-mute.at", durably; the path, or an error with the system's number. A second one within the same second
/// is left out (the path is given all the same).
Result<std::string> save_flight(const std::string& folder, WallTime now, ModemIndex modem, std::string_view kind, std::string_view text);
/// Deletes records older than `keep`, and the oldest ones above FlightLimits::most; how many. Other files are left alone.
std::size_t prune_flights(const std::string& folder, WallTime now, std::chrono::milliseconds keep);

}  // namespace conductor::service
