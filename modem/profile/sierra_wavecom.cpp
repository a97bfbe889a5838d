// Sierra MC, EM and AirPrime; Wavecom Q2, Q24, Fastrack.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"sierra", "wavecom", "airprime"};
constexpr std::string_view models[] = {"FXT009", "Q2406", "FASTRACK", "MC7710", "AC881"};
constexpr std::string_view iccid[] = {"+CCID", "^ICCID?", "!ICCID?", "+ICCID"};

constexpr Profile make() {
    Profile p = make_generic("sierra-wavecom");
    p.iccid = iccid;
    p.pin_ready_without_ok = true;           // row 53
    p.after_pin = std::chrono::seconds{3};   // row 69: AC881 crashes when used at once
    p.sms_ready = std::chrono::seconds{20};  // row 54, T13: 515 "please wait"
    p.keep_link = KeepLink::no;
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family sierra_wavecom{manufacturers, models, &profile};

}  // namespace conductor::profile
