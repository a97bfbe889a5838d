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

constexpr Profile make_generic(std::string_view name) {
    Profile p;
    p.name = name;
    p.iccid = generic_iccid;
    p.indications = generic_indications;
    p.receive_stores = generic_stores;
    p.pin_tries = generic_pin_tries;
    return p;
}

}  // namespace conductor::profile
