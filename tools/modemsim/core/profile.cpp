#include "tools/modemsim/core/profile.hpp"

#include <array>

namespace conductor::modemsim {
namespace {

using namespace std::chrono_literals;

Profile generic() {
    Profile p;
    p.name = "generic", p.manufacturer = "Conductor", p.model = "SIM-1", p.revision = "1.0";
    p.unknown = "ERROR";
    p.usb = false;
    p.iccid_command = "+CCID";
    p.cnmi_modes = "012", p.cnmi_mt = "0123", p.cnmi_bm = "0", p.cnmi_ds = "012", p.cnmi_bfr = "01";
    p.cds_gap = " ";
    return p;
}

// Rows T07, T11, T31, T43, T49 and quirks 2, 4, 8, 9, 13: the USB sticks.
Profile huawei() {
    Profile p = generic();
    p.name = "huawei", p.manufacturer = "huawei", p.model = "E173", p.revision = "11.126.85.00.209";
    p.unknown = "COMMAND NOT SUPPORT";
    p.usb = true;
    p.boot = 500ms;
    p.boot_urcs = {{600ms, "^SRVST:0"}, {800ms, "^SIMST:1"}, {900ms, "^SRVST:2"}, {1000ms, "^MODE:5,4"}, {1100ms, "^RSSI:19"}};
    p.iccid_command = "^ICCID";
    p.first_index = 0;
    p.me_slots = 255;
    p.cnmi_ds = "012", p.cnmi_bm = "0123";
    p.empty_slot_ok = true;
    p.full_urc = "^SMMEMFULL: \"%s\"";
    p.ussd_packed = true;
    p.chatter = {"^RSSI:19", "^BOOT:35323129,0,0,0,26"};
    p.chatter_every = 10s;
    p.chatter_off = "^CURC=0";
    p.signal_urc = "^RSSI:21";
    return p;
}

// Rows T03, T55, T59 and quirks 26-29: GSM modules on a serial line.
Profile sim800() {
    Profile p = generic();
    p.name = "sim800", p.manufacturer = "SIMCOM_Ltd", p.model = "SIMCOM_SIM800L", p.revision = "Revision:1418B04SIM800L24";
    p.unknown = "+CME ERROR: 100";
    p.boot = 400ms;
    p.boot_urcs = {{400ms, "RDY"}, {450ms, "+CFUN: 1"}, {600ms, "+CPIN: READY"}, {1200ms, "Call Ready"}, {1400ms, "SMS Ready"}};
    p.sms_ready = 1400ms;
    p.sm_slots = 40, p.me_slots = 0, p.sr_slots = 0;
    p.cnmi_ds = "01", p.cnmi_bm = "02";
    p.alpha_in_cmt = false;
    p.full_urc = "*SMSFULL";
    p.double_echo_ate0 = true;
    return p;
}

// Rows T27, T41 and quirks 36-44.
Profile quectel() {
    Profile p = generic();
    p.name = "quectel", p.manufacturer = "Quectel", p.model = "EC25", p.revision = "EC25EFAR06A10M4G";
    p.usb = true;
    p.boot = 700ms;
    p.boot_urcs = {{700ms, "RDY"}, {900ms, "+CFUN: 1"}, {1000ms, "+CPIN: READY"}, {1100ms, "+QUSIM: 1"}, {1300ms, "+QIND: SMS DONE"}};
    p.sms_ready = 1300ms;
    p.iccid_command = "+QCCID";
    p.first_index = 0;
    p.me_slots = 255;
    p.cnmi_bm = "02";
    p.cdsi_as = "SM";
    p.ussd_before_ok = true;
    p.full_urc = "+QIND: \"smsfull\",\"%s\"";
    p.signal_urc = "+QIND: \"csq\",19,99";
    return p;
}

// Row T01 and quirks 34, 35: the prompt without its space.
Profile sim7600() {
    Profile p = generic();
    p.name = "sim7600", p.manufacturer = "SIMCOM INCORPORATED", p.model = "SIM7670G", p.revision = "2382B02SIM767XM5A";
    p.usb = true;
    p.boot = 600ms;
    p.boot_urcs = {{600ms, "*ATREADY: 1"}, {800ms, "+CPIN: READY"}, {1300ms, "SMS DONE"}, {1500ms, "PB DONE"}};
    p.sms_ready = 1300ms;
    p.iccid_command = "+ICCID";
    p.first_index = 0;
    p.cnmi_bm = "02";
    p.prompt = "\r\n>\r\n";
    return p;
}

// Quirk 20 and row T15: a stray comma in +CDS.
Profile zte() {
    Profile p = generic();
    p.name = "zte", p.manufacturer = "ZTE INCORPORATED", p.model = "MF190", p.revision = "BD_MF190V1.0.0B04";
    p.usb = true;
    p.boot_urcs = {{500ms, "+ZUSIMR:2"}};
    p.iccid_command = "+ZICCID";
    p.cds_gap = " ,";
    p.full_urc = "+ZSMGS: \"%s\"";
    p.chatter = {"+ZUSIMR:2"};
    p.chatter_every = 2s;
    p.chatter_off = "+CPMS?";
    return p;
}

const std::array<Profile, 6>& all() {
    static const std::array<Profile, 6> profiles{generic(), huawei(), sim800(), quectel(), sim7600(), zte()};
    return profiles;
}

}  // namespace

const Profile* find_profile(std::string_view name) {
    for (const Profile& p : all()) {
        if (p.name == name) return &p;
    }
    return nullptr;
}

std::vector<std::string> profile_names() {
    std::vector<std::string> names;
    for (const Profile& p : all()) names.push_back(p.name);
    return names;
}

}  // namespace conductor::modemsim
