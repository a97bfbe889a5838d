// The command table: what each command's answer looks like and how long it may take.
#include "modem/at/at.hpp"

namespace conductor::at {
namespace {

using namespace std::chrono_literals;

struct Row {
    std::string_view name;  ///< the longest row that the line begins with holds
    std::string_view info_prefix;
    std::chrono::milliseconds timeout;
    Shape shape = Shape::prefixed;
    bool prompt = false;
};

// Deadlines: what vendor manuals give as their maximum, with room. After Ctrl-Z the network side alone may take TR1M = 35-45 s
// (TS 24.011 §10), hence 75 s; answers 14 s late were seen (T21).
constexpr Row timed_commands[] = {
    {"+CMGS=", "+CMGS:", 75s, Shape::prefixed, true},
    {"+CMSS=", "+CMSS:", 75s},
    {"+CMGW=", "+CMGW:", 20s, Shape::prefixed, true},  // the modem's own memory: no network is asked
    {"+CMGR", "+CMGR:", 6s, Shape::pairs},
    {"+CMGL", "+CMGL:", 20s, Shape::pairs},
    {"+CMGD", "", 12s},
    {"+CNMA", "", 10s},
    {"+CPMS", "+CPMS:", 6s},
    {"+CNMI", "+CNMI:", 5s},
    {"+CSCA", "+CSCA:", 6s},
    {"+CSMS", "+CSMS:", 5s},
    {"+CPIN", "+CPIN:", 10s},
    {"+CPINR", "+CPINR:", 5s},
    {"^CPIN", "^CPIN:", 5s},
    {"+CLCK", "+CLCK:", 15s},
    {"+CFUN", "+CFUN:", 15s},
    {"+COPS", "+COPS:", 45s},
    {"+COPS?", "+COPS:", 8s},
    {"+CUSD", "", 20s},  // its answer is a URC, before or after OK (T41)
    {"+CRSM", "+CRSM:", 6s},
    {"+CGMI", "+CGMI:", 4s, Shape::bare},
    {"+CGMM", "+CGMM:", 4s, Shape::bare},
    {"+CGMR", "+CGMR:", 4s, Shape::bare},
    {"+CGSN", "+CGSN:", 4s, Shape::bare},
    {"+CIMI", "+CIMI:", 6s, Shape::bare},
    {"+CCID", "+CCID:", 4s, Shape::bare},
    {"+ICCID", "+ICCID:", 4s, Shape::bare},
    {"+CICCID", "+ICCID:", 4s, Shape::bare},  // SIM7600: its answer has the other name
    {"+QCCID", "+QCCID:", 4s, Shape::bare},
    {"^ICCID", "^ICCID:", 4s, Shape::bare},
    {"^SCID", "^SCID:", 4s, Shape::bare},
    {"#CCID", "#CCID:", 4s, Shape::bare},
    {"+ZGETICCID", "+ZGETICCID:", 4s, Shape::bare},
    {"I", "", 4s, Shape::bare},
    {"H", "", 6s},
};

// A full SIM at 9600 baud takes 100 s to list (FIELD row 1): while entries come, the modem is not mute.
constexpr auto list_goes_on = 8s, longest_list = 600s;

std::string name_of(std::string_view line) {
    std::size_t end = 0;
    while (end < line.size() && (end == 0 || (line[end] >= 'A' && line[end] <= 'Z') || (line[end] >= 'a' && line[end] <= 'z') ||
                                 (line[end] >= '0' && line[end] <= '9') || line[end] == '_'))
        ++end;
    return upper(line.substr(0, end));
}

}  // namespace

Command command(std::string line) {
    const Row* best = nullptr;
    for (const Row& row : timed_commands) {
        const bool single = row.name.size() == 1;
        if (single ? line == row.name : starts_with(line, row.name))
            if (!best || row.name.size() > best->name.size()) best = &row;
    }
    Command made{.line = std::move(line)};
    if (best) {
        made.info_prefix = best->info_prefix;
        made.timeout = best->timeout;
        made.shape = best->shape;
        made.prompt = best->prompt;
        if (best->name == "+CMGL") {
            made.between_lines = list_goes_on;
            made.at_most = longest_list;
        }
    } else if (made.line.size() > 1 && !(made.line[0] >= 'A' && made.line[0] <= 'Z') && made.line[0] != '&') {
        made.info_prefix = name_of(made.line) + ":";
    }
    return made;
}

}  // namespace conductor::at
