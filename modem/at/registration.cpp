#include "modem/at/registration.hpp"

#include "modem/at/fields.hpp"

namespace conductor::at {

bool registration_usable(int stat) {
    return stat == 1 || stat == 5 || stat == 6 || stat == 7 || stat == 9 || stat == 10;
}

/// +CREG: <n>,<stat>,[<lac>],[<ci>],[<AcT>],<cause_type>,<reject_cause>; cause type 0 is of the standard, 1 of the maker.
std::optional<int> parse_reject_cause(Answer lines) {
    if (lines.empty()) return std::nullopt;
    const Fields f{lines.back()};
    if (f.size() < 7 || f.number(5) != 0) return std::nullopt;
    const auto cause = f.number(6);
    if (!cause || *cause <= 0 || *cause > 255) return std::nullopt;
    return cause;
}

std::string parse_ceer(Answer lines) {
    for (const std::string& line : lines) {
        if (!starts_with(line, "+CEER:")) continue;
        std::string_view text = trim(std::string_view{line}.substr(6));
        if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
        if (text.empty() || starts_with(text, "no cause") || starts_with(text, "normal")) return {};
        return std::string{text.substr(0, 120)};
    }
    return {};
}

std::string_view reject_cause_text(int cause) {
    switch (cause) {
        case 2: return "The SIM is not known to its operator: it is not activated, or its contract has ended.";
        case 3: return "The network refuses the SIM as illegal: ask its operator, or replace it.";
        case 5:
        case 6: return "The network refuses the device (IMEI): it is blocked or not approved there.";
        case 7: return "The plan has no packet service.";
        case 8: return "The plan has neither voice nor packet service: the SIM is barred, or its contract has ended.";
        case 11: return "This operator does not serve the SIM: no roaming agreement, or a forbidden network is stored on the SIM.";
        case 12: return "The SIM is not allowed in this area.";
        case 13: return "The SIM is not allowed to roam in this area: ask for roaming.";
        case 14: return "The plan has no packet service in this network.";
        case 15: return "No cell here may be used by the SIM.";
        case 16: return "The network's switching centre cannot be reached now; it is tried again by itself.";
        case 17: return "The network failed; it is tried again by itself.";
        case 18: return "The circuit-switched service, which carries SMS, is not available to this SIM.";
        case 22: return "The network is congested; it is tried again by itself.";
        case 25: return "The SIM is not allowed in this closed cell.";
        case 33:
        case 34: return "The service option is not subscribed, or out of order.";
        case 35: return "The requested service option is not authorised in this network.";
        case 42: return "The network failed severely; it is tried again by itself.";
        default: return "The network gave a cause that says nothing to people.";
    }
}

}  // namespace conductor::at
