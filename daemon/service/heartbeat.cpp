#include "daemon/service/heartbeat.hpp"

#include <nlohmann/json.hpp>

#include "daemon/service/modem_service.hpp"

namespace conductor::service {

using nlohmann::json;

json heartbeat_of(const Shared& shared, std::int64_t outbox, bool claims, WallTime now) {
    json modems = json::array();
    int able = 0;
    for (const ModemService* modem : shared.modems) {
        const auto& s = modem->status();
        able += modem->able();
        modems.push_back({{"index", modem->index()},
                          {"state", to_string(s.state)},
                          {"reason", s.reason},
                          {"iccid", s.identity.iccid},
                          {"registration", s.registration},
                          {"signal_dbm", s.rssi_dbm ? json(*s.rssi_dbm) : json(nullptr)},
                          {"able", modem->able()}});
    }
    json out = {{"kind", "heartbeat"}, {"at", to_rfc3339(now)}, {"version", CONDUCTOR_VERSION}, {"outbox", outbox}, {"able", able}};
    out["claims"] = claims && able > 0;
    out["modems"] = std::move(modems);
    return out;
}

}  // namespace conductor::service
