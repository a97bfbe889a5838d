// SIMCom: the GSM modules SIM600/800/900, the CAT-M SIM7000, and the later SIM7600 and A76xx.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"simcom"};
constexpr std::string_view none[] = {"SIMCOM_SIM"};
constexpr std::string_view classic_models[] = {"SIM800", "SIM808", "SIM868", "SIM900", "SIM600", "SIM300"};
constexpr std::string_view catm_models[] = {"SIM7000", "SIM7020", "SIM7070", "SIM7080"};
constexpr std::string_view classic_iccid[] = {"+CCID", "+CCID?", "+ICCID"};
constexpr std::string_view classic_tries[] = {"+SPIC", "+CPINR"};
constexpr std::string_view sim_first[] = {"SM", "ME", "MT"};
constexpr std::string_view modern_iccid[] = {"+CICCID", "+CCID", "+ICCID"};

constexpr std::string_view modern_bearer[] = {"+CGSMS=3", "+CGSMS=1", "+CNMP=14", "+CNMP=13"};  // then 3G alone, then 2G alone

constexpr Profile make_classic() {
    Profile p = make_generic("simcom-classic");
    p.iccid = classic_iccid;
    p.pin_tries = classic_tries;
    p.receive_stores = sim_first;            // the flash store of SIM800 is small and lost at a firmware update
    p.sms_ready = std::chrono::seconds{30};  // rows 26, T55
    return p;
}

constexpr Profile make_catm() {
    Profile p = make_generic("simcom-catm");  // ME first: "SM" gives +CMTI: "SM",-1 (row 31)
    p.iccid = classic_iccid;
    p.sms_ready = std::chrono::seconds{30};
    return p;
}

constexpr Profile make_modern() {
    Profile p = make_generic("simcom");
    p.iccid = modern_iccid;
    p.sms_ready = std::chrono::seconds{30};  // row 35: before SMS DONE everything is ERROR
    p.restart = "+CRESET";                   // row 34: the rung before it is CFUN=4, CFUN=1
    p.bearer = modern_bearer;                // row 33
    return p;
}

constexpr Profile classic = make_classic();
constexpr Profile catm = make_catm();
constexpr Profile modern = make_modern();

}  // namespace

const Family simcom_classic{{}, classic_models, &classic};
const Family simcom_catm{{}, catm_models, &catm};
const Family simcom{manufacturers, none, &modern};

}  // namespace conductor::profile
