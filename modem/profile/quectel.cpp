// Quectel M, UC, EC, EG, EM, RM.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"quectel"};
constexpr std::string_view quiet[] = {"+QURCCFG=\"urcport\",\"usbat\""};  // row 42
constexpr std::string_view iccid[] = {"+QCCID", "+CCID", "+ICCID"};
constexpr std::string_view tries[] = {"+QPINC=\"SC\"", "+CPINR=\"SIM PIN\""};

constexpr Profile make() {
    Profile p = make_generic("quectel");
    p.quiet = quiet;
    p.iccid = iccid;
    p.pin_tries = tries;
    p.report_slot_lies = true;               // row 36, T27
    p.sms_ready = std::chrono::seconds{20};  // rows 39, 41
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family quectel{manufacturers, {}, &profile};

}  // namespace conductor::profile
