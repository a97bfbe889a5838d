// ZTE MF and K sticks.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"zte"};
constexpr std::string_view models[] = {"MF6", "MF1", "MF7", "MF8", "K3565-Z", "K3805-Z"};
constexpr std::string_view quiet[] = {"+CPMS?"};                             // row 21: ends the +ZUSIMR flood
constexpr std::string_view after_sim[] = {"+CPMS?", "+CFUN=1", "+ZOPRT=5"};  // rows 21, 24: back from low power
constexpr std::string_view iccid[] = {"+ZGETICCID", "+CCID", "+ICCID"};

constexpr Profile make() {
    Profile p = make_generic("zte");
    p.quiet = quiet;
    p.after_sim = after_sim;
    p.iccid = iccid;
    p.indications = stored_report_indications;  // row 66
    p.acknowledgements = {};
    p.restart_is_safe = false;  // row 11: starts as a CD-ROM, and may stay one
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family zte{manufacturers, models, &profile};

}  // namespace conductor::profile
