#pragma once
// Vendors as data: what a family of modems says, advertises and refuses.
#include <string>
#include <string_view>
#include <vector>

#include "tools/modemsim/core/scheduler.hpp"

namespace conductor::modemsim {

struct Spontaneous {
    Duration after{0};  ///< from the moment of power
    std::string line;
};

struct Profile {
    std::string name, manufacturer, model, revision;
    std::string unknown;  ///< final result for a command it does not know
    bool usb = true;      ///< a reset makes the port vanish and come back
    Duration boot{300};   ///< deaf for so long after power
    std::vector<Spontaneous> boot_urcs;
    Duration sms_ready{0};                            ///< SMS commands fail until so long after power
    std::string iccid_command;                        ///< "+CCID", "^ICCID", "+ICCID", "+QCCID"; empty: by +CRSM alone
    int sm_slots = 20, me_slots = 50, sr_slots = 20;  ///< 0: it has no such memory
    int first_index = 1;
    std::string cnmi_modes, cnmi_mt, cnmi_bm, cnmi_ds, cnmi_bfr;  ///< digits it accepts, one string a field
    bool empty_slot_ok = false;                                   ///< +CMGR of an empty slot answers OK alone, not +CMS ERROR: 321
    std::string cnma_forms = "b012";                              ///< of AT+CNMA that it takes: b is the bare one, the others <n>
    std::string cdsi_as;                                          ///< memory named in +CDSI when it is not the true one
    bool alpha_in_cmt = true;                                     ///< "+CMT: ,24", else "+CMT: 24"
    std::string cds_gap;                                          ///< between "+CDS:" and the length: " " or " ,"
    std::string full_urc;                                         ///< said when a message finds no room; %s is the memory
    bool ussd_packed = false;                                     ///< +CUSD wants and gives packed 7-bit hex
    bool ussd_before_ok = false;                                  ///< the +CUSD answer comes before OK
    std::string prompt = "\r\n> ";
    bool double_echo_ate0 = false;
    std::vector<std::string> chatter;  ///< URCs repeated for ever
    Duration chatter_every{0};
    std::string chatter_off;  ///< command that stops them
    std::string signal_urc;   ///< vendor's signal URC, for the faults; may be empty
};

/// Nullptr when there is no profile of that name.
const Profile* find_profile(std::string_view name);
std::vector<std::string> profile_names();

}  // namespace conductor::modemsim
