// Huawei E1xx, E220, E3xx, E33xx, MU and ME modules.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"huawei"};
constexpr std::string_view models[] = {"E1550", "E1752", "E1750", "E173", "E171",  "E160",  "E169",  "E220",  "E3372", "E3276",
                                       "E353",  "E3131", "E153",  "E226", "K3765", "K3772", "MU609", "MU709", "ME909"};
// Row 2: ^CURC=0 ends ^RSSI, ^MODE, ^DSFLOWRPT and ^BOOT. Row 3: PORTSEL=1 brings +CMTI to this port. Row 18: the software radio
// switch.
constexpr std::string_view quiet[] = {"^CURC=0", "^PORTSEL=1", "^RFSWITCH=1"};
constexpr std::string_view late_sim_models[] = {"E353"};
constexpr std::string_view other_ports[] = {"^CURC=0"};  // row 2: on every port, also those that nobody reads
constexpr int at_interfaces[] = {2};                     // PCUI of the E1xx and E173, where URCs come
constexpr std::string_view iccid[] = {"^ICCID?", "+CCID", "+ICCID", "+CCID?"};
constexpr std::string_view tries[] = {"^CPIN?", "+CPINR=\"SIM PIN\""};

constexpr Profile make() {
    Profile p = make_generic("huawei");
    p.quiet = quiet;
    p.other_ports = other_ports;
    p.at_interfaces = at_interfaces;
    p.iccid = iccid;
    p.pin_tries = tries;
    p.indications = stored_report_indications;  // rows 19, 66: stored, not handed over
    p.acknowledgements = {};
    p.read_by_index = true;                          // row 1
    p.stored_late = std::chrono::milliseconds{500};  // row 6
    p.ussd_packed = true;                            // row 8
    p.restart_is_safe = false;                       // T47: comes back as mass storage
    p.radio_switch = "^RFSWITCH?";                   // row 18
    return p;
}

constexpr Profile make_late_sim() {
    Profile p = make();
    p.name = "huawei-e353";
    p.sim_needs_power = true;  // row 17
    return p;
}

constexpr Profile profile = make();
constexpr Profile late_sim = make_late_sim();

}  // namespace

const Family huawei_late_sim{{}, late_sim_models, &late_sim};
const Family huawei{manufacturers, models, &profile};

}  // namespace conductor::profile
