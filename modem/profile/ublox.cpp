// u-blox SARA, TOBY, LARA.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"u-blox", "ublox"};
constexpr std::string_view tries[] = {"+UPINCNT", "+CPINR=\"SIM PIN\"", "+CPINR"};

constexpr Profile make() {
    Profile p = make_generic("ublox");  // no +CCID on some: the driver reads EF-ICCID (row 48)
    p.pin_tries = tries;
    p.link_window = std::chrono::seconds{5};  // row 47
    p.restart = "+CFUN=16";                   // silent reset; 1,1 is refused by SARA-R4
    p.sms_ready = std::chrono::seconds{20};   // rows 45, 46: ports before firmware, "SIM busy" after the start
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family ublox{manufacturers, {}, &profile};

}  // namespace conductor::profile
