// SIMCom: the GSM modules SIM600/800/900 and the later SIM7000, SIM7600, A76xx.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"simcom"};
constexpr std::string_view none[] = {"SIMCOM_SIM"};
constexpr std::string_view classic_models[] = {"SIM800", "SIM808", "SIM868", "SIM900", "SIM600", "SIM300", "SIM5320"};
constexpr std::string_view classic_iccid[] = {"+CCID", "+CCID?", "+ICCID"};
constexpr std::string_view classic_tries[] = {"+SPIC", "+CPINR"};
constexpr std::string_view sim_first[] = {"SM", "ME", "MT"};
constexpr std::string_view modern_iccid[] = {"+CICCID", "+CCID", "+ICCID"};

constexpr Profile make_classic() {
    Profile p = make_generic("simcom-classic");
    p.iccid = classic_iccid;
    p.pin_tries = classic_tries;
    p.receive_stores = sim_first;            // the flash store of SIM800 is small and lost at a firmware update
    p.sms_ready = std::chrono::seconds{30};  // rows 26, T55
    return p;
}

constexpr Profile make_modern() {
    Profile p = make_generic("simcom");
    p.iccid = modern_iccid;
    p.sms_ready = std::chrono::seconds{30};  // row 35: before SMS DONE everything is ERROR
    p.restart = "+CRESET";
    return p;
}

constexpr Profile classic = make_classic();
constexpr Profile modern = make_modern();

}  // namespace

const Family simcom_classic{{}, classic_models, &classic};
const Family simcom{manufacturers, none, &modern};

}  // namespace conductor::profile
