#pragma once
// What is particular about a family of modems, as data. No vendor's name appears anywhere else.
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace conductor::profile {

/// How AT+CMMS may be used for parts that follow each other (TS 27.005 §3.5.6).
enum class KeepLink : std::uint8_t {
    no,    ///< refused or harmful
    once,  ///< AT+CMMS=1: held until the modem's own timer ends (1-5 s)
};

/// A command that names one of a stick's ports.
struct PortCommand {
    int interface = -1;  ///< bInterfaceNumber; -1 where it is not known
    std::string_view line;
};

/// The numbers of each member's row of FIELD part 2 stand in the profiles that change it.
struct Profile {
    std::string_view name = "generic";

    // Bring-up
    std::span<const std::string_view> quiet = {};           ///< commands that silence floods; any answer is fine
    std::span<const std::string_view> iccid = {};           ///< read forms to try before +CRSM
    std::span<const std::string_view> after_sim = {};       ///< once the SIM is unlocked; any answer is fine
    std::span<const std::string_view> indications = {};     ///< AT+CNMI values, best first; verified with CNMI?
    std::span<const std::string_view> receive_stores = {};  ///< preferred memories for incoming messages
    std::span<const std::string_view> pin_tries = {};       ///< read forms that tell the tries left
    std::chrono::seconds sms_ready{10};                     ///< how long SMS commands may answer ERROR after the start (T55)
    bool pin_ready_without_ok = false;                      ///< AT+CPIN? has no OK (row 53)
    std::chrono::seconds after_pin{0};                      ///< the modem must be left alone after AT+CPIN= (row 69)

    // A stick with several ports
    std::span<const int> at_interfaces = {};             ///< USB interfaces that usually carry AT with all URCs (rows 3, 42, 68)
    std::span<const PortCommand> urcs_here = {};         ///< sends all URCs to the port in use, by its interface (row 42)
    std::span<const std::string_view> other_ports = {};  ///< said to the stick's other ports, which are then kept open and drained (row 2)

    // Submitting
    KeepLink keep_link = KeepLink::once;
    std::chrono::milliseconds link_window{
        1000};                       ///< AT+CMMS=1 holds so long behind a result; TS 27.005 lets it be 1 s, u-blox has 5 (row 47)
    std::chrono::seconds prompt{7};  ///< for '>'
    bool marks_stored_sent = true;   ///< AT+CMSS marks the slot "stored sent" (TS 27.005 §3.5.2); false: journal = "modem" is of no use
    bool echo_tells = false;         ///< echo stays on, and Ctrl-Z follows a PDU whose echo is whole alone (row 75)
    int pace_octets = 0;             ///< characters of the PDU per write, 20 ms between; 0 = one write (rows 59, 75)

    // Receiving
    bool read_by_index = false;  ///< AT+CMGL loses answers in URC bursts: shorter deadline, ESC after it (row 1)
    std::span<const std::string_view> acknowledgements = {};  ///< forms of AT+CNMA, best first; none: it refuses them (row 66)
    bool report_slot_lies = false;                            ///< +CDSI names the wrong memory (T27, row 36)
    std::chrono::milliseconds stored_late{0};                 ///< a stored message is visible only after this (row 6)

    // USSD
    bool ussd_packed = false;  ///< wants and gives packed 7-bit hex (row 8, T43)

    // Recovery
    std::string_view radio_off = "+CFUN=4";  ///< before +CFUN=1; the port stays
    std::string_view restart = "+CFUN=1,1";  ///< the modem's own restart; the port goes
    bool restart_is_safe = true;             ///< false: comes back as mass storage (T47, row 72)
    bool sim_needs_power = false;            ///< a SIM put in after power-on is not seen (row 17)
    std::string_view radio_switch = {};      ///< read form of the radio switch: software, hardware (row 18)
    /// What a person may try where SMS over LTE fails though the modem is registered (rows 33, 43); in this order, never by itself.
    std::span<const std::string_view> bearer = {};
};

/// The profile for what AT+CGMI and AT+CGMM said; generic where no family fits.
const Profile& profile_for(std::string_view manufacturer, std::string_view model);
const Profile& generic();

/// A family: its profile fits when one of the words is in the manufacturer or the model (ASCII case ignored).
struct Family {
    std::span<const std::string_view> manufacturers, models;
    const Profile* profile;
};

// One file for each maker.
extern const Family huawei_late_sim, huawei, zte, simcom_classic, simcom_catm, simcom, quectel_serial, quectel, ublox, telit,
    sierra_wavecom, cinterion, siemens, neoway, qualcomm, stored_reports, phones;

}  // namespace conductor::profile
