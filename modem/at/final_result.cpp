#include <algorithm>
#include <span>

#include "modem/at/at.hpp"

namespace conductor::at {
namespace {

struct Verbose {
    std::string_view text;
    int code;
};

// Texts of AT+CMEE=2, TS 27.007 §9.2.1 (those that reach an SMS gateway).
constexpr Verbose cme_texts[] = {
    {"phone failure", 0},
    {"no connection to phone", 1},
    {"phone-adaptor link reserved", 2},
    {"phone adapter link reserved", 2},
    {"operation not allowed", 3},
    {"operation not supported", 4},
    {"ph-sim pin required", 5},
    {"ph-fsim pin required", 6},
    {"ph-fsim puk required", 7},
    {"sim not inserted", 10},
    {"sim pin required", 11},
    {"sim puk required", 12},
    {"sim failure", 13},
    {"sim busy", 14},
    {"sim wrong", 15},
    {"incorrect password", 16},
    {"sim pin2 required", 17},
    {"sim puk2 required", 18},
    {"memory full", 20},
    {"invalid index", 21},
    {"not found", 22},
    {"memory failure", 23},
    {"text string too long", 24},
    {"invalid characters in text string", 25},
    {"dial string too long", 26},
    {"invalid characters in dial string", 27},
    {"no network service", 30},
    {"network timeout", 31},
    {"network not allowed - emergency calls only", 32},
    {"network not allowed, emergency calls only", 32},
    {"network personalization pin required", 40},
    {"network personalisation pin required", 40},
    {"unknown", 100},
    {"unknown error", 100},
};

// Texts of TS 24.011 annex E-2 and TS 27.005 §3.2.5 as modems write them.
constexpr Verbose cms_texts[] = {
    {"unassigned (unallocated) number", 1},
    {"unassigned number", 1},
    {"operator determined barring", 8},
    {"call barred", 10},
    {"short message transfer rejected", 21},
    {"destination out of service", 27},
    {"destination out of order", 27},
    {"unidentified subscriber", 28},
    {"facility rejected", 29},
    {"unknown subscriber", 30},
    {"network out of order", 38},
    {"temporary failure", 41},
    {"congestion", 42},
    {"resources unavailable", 47},
    {"resources unavailable, unspecified", 47},
    {"requested facility not subscribed", 50},
    {"requested facility not implemented", 69},
    {"invalid short message transfer reference value", 81},
    {"invalid message, unspecified", 95},
    {"invalid mandatory information", 96},
    {"message type non-existent or not implemented", 97},
    {"protocol error, unspecified", 111},
    {"interworking, unspecified", 127},
    {"sc busy", 192},
    {"no sc subscription", 193},
    {"sc system failure", 194},
    {"invalid sme address", 195},
    {"destination sme barred", 196},
    {"sm rejected-duplicate sm", 197},
    {"me failure", 300},
    {"phone failure", 300},
    {"sms service of me reserved", 301},
    {"sms service of phone reserved", 301},
    {"operation not allowed", 302},
    {"operation not supported", 303},
    {"invalid pdu mode parameter", 304},
    {"invalid text mode parameter", 305},
    {"sim not inserted", 310},
    {"(u)sim not inserted", 310},
    {"sim pin required", 311},
    {"sim pin necessary", 311},
    {"ph-sim pin required", 312},
    {"sim failure", 313},
    {"sim busy", 314},
    {"sim wrong", 315},
    {"sim puk required", 316},
    {"sim pin2 required", 317},
    {"sim puk2 required", 318},
    {"memory failure", 320},
    {"invalid memory index", 321},
    {"memory full", 322},
    {"sim memory full", 322},
    {"smsc address unknown", 330},
    {"sca address unknown", 330},
    {"no network service", 331},
    {"no network", 331},
    {"network timeout", 332},
    {"no +cnma acknowledgement expected", 340},
    {"unknown error", 500},
    {"unknown", 500},
};

std::optional<int> code_of(std::string_view rest, std::span<const Verbose> texts) {
    rest = trim(rest);
    if (const auto number = to_int(rest)) return number;
    const auto same = [&](const Verbose& v) { return v.text.size() == rest.size() && starts_with(rest, v.text); };
    const auto found = std::ranges::find_if(texts, same);
    return found == texts.end() ? std::nullopt : std::optional{found->code};
}

/// What follows `name` and an optional colon; empty when the line is something else.
std::optional<std::string_view> after(std::string_view line, std::string_view name) {
    if (!starts_with(line, name)) return std::nullopt;
    line.remove_prefix(name.size());
    line = trim(line);
    if (!line.empty() && line.front() == ':') line.remove_prefix(1);
    return line;
}

}  // namespace

std::optional<FinalResult> parse_final(std::string_view line) {
    using Kind = FinalResult::Kind;
    line = trim(line);
    if (line == "OK") return FinalResult{Kind::ok, {}};
    if (line == "ERROR" || line == "ABORTED") return FinalResult{Kind::error, {}};
    if (const auto rest = after(line, "+CMS ERROR")) return FinalResult{Kind::cms, code_of(*rest, cms_texts)};
    if (const auto rest = after(line, "+CME ERROR")) return FinalResult{Kind::cme, code_of(*rest, cme_texts)};
    // Huawei E220, E1752 (T11); "TOO MANY PARAMETERS" likewise from Huawei sticks.
    if (line == "COMMAND NOT SUPPORT" || line == "TOO MANY PARAMETERS") return FinalResult{Kind::not_supported, {}};
    return std::nullopt;
}

std::string word(const FinalResult& final) {
    const auto number = [&](const char* name) {
        return final.code ? std::string{name} + std::to_string(*final.code) : std::string{"error"};
    };
    switch (final.kind) {
        case FinalResult::Kind::ok: return "ok";
        case FinalResult::Kind::error: return "error";
        case FinalResult::Kind::cms: return number("cms-");
        case FinalResult::Kind::cme: return number("cme-");
        case FinalResult::Kind::not_supported: return "not-supported";
    }
    return "error";
}

}  // namespace conductor::at
