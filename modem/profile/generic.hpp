#pragma once
// What every profile starts from.
#include "modem/profile/profile.hpp"

namespace conductor::profile {

inline constexpr std::string_view generic_iccid[] = {"+CCID", "+CCID?", "+ICCID", "+ICCID?"};
inline constexpr std::string_view generic_pin_tries[] = {"+CPINR=\"SIM PIN\"", "+CPINR"};
inline constexpr std::string_view generic_stores[] = {"ME", "SM", "MT"};
/// ds=1 hands a status report over as +CDS, ds=2 stores it. mt=1 stores a message and tells its place. bfr 1 only where 0 is refused (row
/// 61).
inline constexpr std::string_view generic_indications[] = {"2,1,0,1,0", "2,1,0,1,1", "2,1,0,2,0", "2,1,0,2,1", "1,1,0,1,0",
                                                           "1,1,0,1,1", "1,1,0,2,0", "3,1,0,1,0", "3,1,0,2,0", "2,1,0,0,0",
                                                           "2,1,0,0,1", "1,1,0,0,0", "1,1,0,0,1", "2,1"};
/// Stored reports first: a +CDS wants AT+CNMA on these but refuses it, and wedges without (row 66).
inline constexpr std::string_view stored_report_indications[] = {"2,1,0,2,0", "2,1,0,2,1", "1,1,0,2,0", "1,1,0,2,1", "2,1,0,1,0",
                                                                 "2,1,0,1,1", "1,1,0,1,0", "2,1,0,0,0", "1,1,0,0,0", "2,1"};

/// Without a PDU each of them is a plain RP-ACK (TS 27.005 §3.4.4); which one a modem takes is its own (rows 37, 64).
inline constexpr std::string_view generic_acknowledgements[] = {"+CNMA", "+CNMA=1", "+CNMA=0"};
inline constexpr std::string_view numbered_acknowledgements[] = {"+CNMA=1", "+CNMA", "+CNMA=0"};

constexpr Profile make_generic(std::string_view name) {
    Profile p;
    p.name = name;
    p.iccid = generic_iccid;
    p.indications = generic_indications;
    p.acknowledgements = generic_acknowledgements;
    p.receive_stores = generic_stores;
    p.pin_tries = generic_pin_tries;
    return p;
}

}  // namespace conductor::profile
