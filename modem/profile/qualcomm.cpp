// Gobi, Qualcomm reference designs and the sticks that carry them under other names; Novatel, Option (HSO), Icera, Infineon.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"qualcomm"};
constexpr std::string_view models[] = {"MDM6600 REFERENCE", "QUALCOMM 6000"};
constexpr std::string_view others[] = {"novatel", "option n.v", "icera", "infineon"};

constexpr Profile make() {
    Profile p = make_generic("qualcomm");
    p.restart_is_safe = false;                  // row 72: CFUN=1,1 brings the mass storage back
    p.indications = stored_report_indications;  // row 66
    p.acknowledgements = {};
    return p;
}

constexpr Profile make_stored_reports() {
    Profile p = make_generic("stored-reports");
    p.indications = stored_report_indications;  // row 66
    p.acknowledgements = {};
    return p;
}

constexpr Profile profile = make();
constexpr Profile stored_reports_profile = make_stored_reports();

}  // namespace

const Family qualcomm{manufacturers, models, &profile};
const Family stored_reports{others, {}, &stored_reports_profile};

}  // namespace conductor::profile
