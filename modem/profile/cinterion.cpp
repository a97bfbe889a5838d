// Cinterion and Gemalto modules, and what Siemens made before them.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"cinterion", "gemalto", "thales"};
constexpr std::string_view siemens_makers[] = {"siemens"};
constexpr std::string_view iccid[] = {"^SCID", "+CCID", "+CCID?"};
constexpr std::string_view tries[] = {"^SPIC", "+CPINR=\"SIM PIN\""};
constexpr std::string_view stores[] = {"SM", "MT", "ME"};  // row 61: MC75i has no ME for incoming messages
// Row 61: bfr must be 1.
constexpr std::string_view indications[] = {"2,1,0,1,1", "2,1,0,1,0", "2,1,0,2,1", "2,1,0,2,0", "1,1,0,1,1",
                                            "3,1,0,1,1", "2,1,0,0,1", "1,1,0,0,1", "2,1"};

constexpr Profile make() {
    Profile p = make_generic("cinterion");
    p.iccid = iccid;
    p.pin_tries = tries;
    p.receive_stores = stores;
    p.indications = indications;
    p.acknowledgements = numbered_acknowledgements;  // row 64
    p.keep_link = KeepLink::no;                      // row 64
    p.sms_ready = std::chrono::seconds{15};          // rows 60, 65
    return p;
}

constexpr Profile make_siemens() {
    Profile p = make();
    p.name = "siemens";
    p.pace_octets = 32;  // row 59: M20 needs slow writes
    return p;
}

constexpr Profile profile = make();
constexpr Profile siemens_profile = make_siemens();

}  // namespace

const Family cinterion{manufacturers, {}, &profile};
const Family siemens{siemens_makers, {}, &siemens_profile};

}  // namespace conductor::profile
