// Quectel M, UC, EC, EG, EM, RM.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"quectel"};
constexpr std::string_view serial_models[] = {"QUECTEL_M", "UC15", "UC20"};  // on a UART: no choice of a port
constexpr PortCommand urcs_here[] = {
    {2, "+QURCCFG=\"urcport\",\"usbat\""}, {3, "+QURCCFG=\"urcport\",\"usbmodem\""}, {-1, "+QURCCFG=\"urcport\",\"usbat\""}};
constexpr std::string_view quiet[] = {"+QURCCFG=\"urcport\",\"all\""};  // newer ones know that
constexpr int at_interfaces[] = {2};                                    // "usbat"
constexpr std::string_view iccid[] = {"+QCCID", "+CCID", "+ICCID"};
constexpr std::string_view bearer[] = {"+CGSMS=3", "+CGSMS=1", "+QCFG=\"ims\",2"};  // 2: IMS off
constexpr std::string_view tries[] = {"+QPINC=\"SC\"", "+CPINR=\"SIM PIN\""};

constexpr Profile make_serial() {
    Profile p = make_generic("quectel-serial");
    p.iccid = iccid;
    p.pin_tries = tries;
    p.sms_ready = std::chrono::seconds{20};  // rows 39, 41
    return p;
}

constexpr Profile make() {
    Profile p = make_serial();
    p.name = "quectel";
    p.quiet = quiet;
    p.urcs_here = urcs_here;
    p.at_interfaces = at_interfaces;
    p.acknowledgements = numbered_acknowledgements;  // row 37
    p.report_slot_lies = true;                       // row 36, T27
    p.bearer = bearer;                               // row 43
    return p;
}

constexpr Profile serial = make_serial();
constexpr Profile profile = make();

}  // namespace

const Family quectel_serial{{}, serial_models, &serial};
const Family quectel{manufacturers, {}, &profile};

}  // namespace conductor::profile
