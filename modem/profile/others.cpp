// u-blox, Telit, Sierra/Wavecom, Cinterion/Siemens, Neoway, Qualcomm reference designs.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view ublox_makers[] = {"u-blox", "ublox"};
constexpr Profile make_ublox() {
    Profile p = make_generic("ublox");
    p.restart = "+CFUN=16";                  // silent reset; 1,1 is refused by SARA-R4
    p.sms_ready = std::chrono::seconds{20};  // rows 45, 46
    return p;
}
constexpr Profile ublox_profile = make_ublox();

constexpr std::string_view telit_makers[] = {"telit"};
constexpr std::string_view telit_iccid[] = {"#CCID", "+CCID", "+ICCID"};
constexpr std::string_view telit_tries[] = {"#PCT", "+CPINR=\"SIM PIN\""};
constexpr Profile make_telit() {
    Profile p = make_generic("telit");
    p.iccid = telit_iccid;
    p.pin_tries = telit_tries;
    p.restart = "#REBOOT";
    p.sms_ready = std::chrono::seconds{30};  // row 50: #QSS: 3
    return p;
}
constexpr Profile telit_profile = make_telit();

constexpr std::string_view sierra_makers[] = {"sierra", "wavecom", "airprime"};
constexpr std::string_view sierra_models[] = {"FXT009", "Q2406", "FASTRACK", "MC7710"};
constexpr std::string_view sierra_iccid[] = {"+CCID", "^ICCID?", "!ICCID?", "+ICCID"};
constexpr Profile make_sierra() {
    Profile p = make_generic("sierra-wavecom");
    p.iccid = sierra_iccid;
    p.pin_ready_without_ok = true;           // row 53
    p.after_pin = std::chrono::seconds{3};   // row 69
    p.sms_ready = std::chrono::seconds{20};  // row 54: 515 "please wait"
    p.keep_link = KeepLink::no;
    return p;
}
constexpr Profile sierra_profile = make_sierra();

constexpr std::string_view cinterion_makers[] = {"cinterion", "gemalto", "siemens", "thales"};
constexpr std::string_view cinterion_iccid[] = {"^SCID", "+CCID", "+CCID?"};
constexpr std::string_view cinterion_tries[] = {"^SPIC", "+CPINR=\"SIM PIN\""};
constexpr std::string_view cinterion_stores[] = {"SM", "MT", "ME"};  // row 61: MC75i has no ME for incoming messages
constexpr std::string_view cinterion_indications[] = {"2,1,0,1,1", "2,1,0,1,0", "2,1,0,2,1", "2,1,0,2,0", "1,1,0,1,1",
                                                      "3,1,0,1,1", "2,1,0,0,1", "1,1,0,0,1", "2,1"};
constexpr Profile make_cinterion() {
    Profile p = make_generic("cinterion");
    p.iccid = cinterion_iccid;
    p.pin_tries = cinterion_tries;
    p.receive_stores = cinterion_stores;
    p.indications = cinterion_indications;   // row 61: bfr must be 1
    p.keep_link = KeepLink::no;              // row 64
    p.sms_ready = std::chrono::seconds{15};  // row 60
    return p;
}
constexpr Profile cinterion_profile = make_cinterion();

constexpr std::string_view neoway_makers[] = {"neoway"};
constexpr std::string_view neoway_models[] = {"M590"};
constexpr std::string_view neoway_stores[] = {"SM"};
constexpr Profile make_neoway() {
    Profile p = make_generic("neoway");
    p.receive_stores = neoway_stores;  // row 73: SM and ME are one store
    p.radio_off = "";                  // row 73: stops talking with the radio off
    return p;
}
constexpr Profile neoway_profile = make_neoway();

constexpr std::string_view qualcomm_models[] = {"MDM6600 REFERENCE", "QUALCOMM 6000"};
constexpr Profile make_qualcomm() {
    Profile p = make_generic("qualcomm");
    p.restart_is_safe = false;  // row 72
    p.indications = stored_report_indications;
    return p;
}
constexpr Profile qualcomm_profile = make_qualcomm();

}  // namespace

const Family ublox{ublox_makers, {}, &ublox_profile};
const Family telit{telit_makers, {}, &telit_profile};
const Family sierra_wavecom{sierra_makers, sierra_models, &sierra_profile};
const Family cinterion{cinterion_makers, {}, &cinterion_profile};
const Family neoway{neoway_makers, neoway_models, &neoway_profile};
const Family qualcomm{{}, qualcomm_models, &qualcomm_profile};

}  // namespace conductor::profile
