// Telit GM, HE910, xE910.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"telit"};
constexpr std::string_view iccid[] = {"#CCID", "+CCID", "+ICCID"};
constexpr std::string_view tries[] = {"#PCT", "+CPINR=\"SIM PIN\""};
// T65: HE910-D reports with 2,2,0,1,0. That hands messages over without a copy in the modem, so it comes after those that store them.
constexpr std::string_view indications[] = {"2,1,0,1,0", "2,1,0,1,1", "2,1,0,2,0", "2,1,0,2,1", "1,1,0,1,0", "2,2,0,1,0", "2,1,0,0,0"};

constexpr Profile make() {
    Profile p = make_generic("telit");
    p.iccid = iccid;
    p.pin_tries = tries;
    p.indications = indications;
    p.restart = "#REBOOT";
    p.sms_ready = std::chrono::seconds{30};  // rows 49, 50: deaf for seconds, then #QSS: 3
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family telit{manufacturers, {}, &profile};

}  // namespace conductor::profile
