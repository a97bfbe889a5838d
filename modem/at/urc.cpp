#include "modem/at/urc.hpp"

#include <algorithm>

#include "modem/at/fields.hpp"
#include "modem/at/ussd.hpp"

namespace conductor::at {
namespace {

using Lines = std::span<const std::string>;

template <bool report>
Result<Urc> stored(Lines lines) {
    const Fields f{lines[0]};
    return Urc{Stored{upper(f.text(0)), f.number(1).value_or(-1), report}};
}

template <bool report>
Result<Urc> direct(Lines lines) {
    return Urc{Direct{upper(lines[1]), Fields{lines[0]}.last_number(), report}};
}

Result<Urc> registration(Lines lines) {
    const auto stat = registration_stat(lines[0]);
    if (!stat) return fail(AtErrc::malformed, "+CREG");
    return Urc{Registration{upper(lines[0].substr(0, lines[0].find(':'))), *stat}};
}

Result<Urc> ussd(Lines lines) {
    return Urc{parse_ussd(lines[0])};
}

Result<Urc> reference(Lines lines) {
    const auto mr = Fields{lines[0]}.number(0);
    if (!mr) return fail(AtErrc::malformed, "+CMGS");
    return Urc{Reference{*mr}};
}

Result<Urc> sim_change(Lines lines) {
    return Urc{SimChange{lines[0]}};
}

Result<Urc> ring(Lines) {
    return Urc{Ring{}};
}
/// "+CLIP: 1,1" is the late answer to AT+CLIP?.
Result<Urc> caller(Lines lines) {
    constexpr std::size_t most_digits = 32;
    const Fields f{lines[0]};
    if (f.size() == 0 || !f[0].quoted) return Urc{Noise{}};
    std::string number = f.text(0);
    std::erase_if(number, [](char c) { return (c < '0' || c > '9') && c != '+' && c != '*' && c != '#'; });
    if (number.size() > most_digits) number.resize(most_digits);
    return Urc{Ring{std::move(number)}};
}
Result<Urc> noise(Lines) {
    return Urc{Noise{}};
}
Result<Urc> ready(Lines) {
    return Urc{Ready{}};
}
Result<Urc> boot(Lines lines) {
    return Urc{Boot{lines[0], true, false}};
}
/// "UNDER-VOLTAGE WARNNING" may come without a restart; "UNDER-VOLTAGE POWER DOWN" is one (SIM800).
Result<Urc> under_voltage(Lines lines) {
    const bool down = upper(lines[0]).find("DOWN") != std::string::npos;
    return Urc{Boot{lines[0], down, true}};
}
Result<Urc> boot_repeated(Lines lines) {
    return Urc{Boot{lines[0], false, false}};
}
Result<Urc> full(Lines lines) {
    const bool named = lines[0].find(':') != std::string::npos && !starts_with(lines[0], "+CIEV:");
    return Urc{StorageFull{named ? upper(Fields{lines[0]}.text(0)) : std::string{}}};
}

constexpr UrcRule rules[] = {
    {"+CMTI:", 1, stored<false>},
    {"+CDSI:", 1, stored<true>},
    {"+CMT:", 2, direct<false>},
    {"+CDS:", 2, direct<true>},
    {"+CBM:", 2, noise},
    {"+CREG:", 1, registration},
    {"+CGREG:", 1, registration},
    {"+CEREG:", 1, registration},
    {"+C5GREG:", 1, registration},
    {"+CUSD:", 1, ussd},
    {"+CMGS:", 1, reference},
    {"+CMSS:", 1, reference},
    {"RING", 1, ring, true},
    {"+CRING:", 1, ring},
    {"+CLIP:", 1, caller},
    {"NO CARRIER", 1, noise, true},  // ends no command of ours (T45)
    {"BUSY", 1, noise, true},
    {"NO ANSWER", 1, noise, true},
    {"NO DIALTONE", 1, noise, true},
    {"NO DIAL TONE", 1, noise, true},
    {"HANGUP:", 1, noise},
    {"+CPIN:", 1, sim_change},
    {"+QUSIM:", 1, sim_change},
    {"^SIMST:", 1, sim_change},
    {"+SIM:", 1, sim_change},
    {"+QSIMSTAT:", 1, sim_change},
    {"^SMMEMFULL", 1, full},
    {"+CIEV: \"SMSFULL\"", 1, full},
    {"+SMS FULL", 1, full},
    {"SMS Ready", 1, ready, true},
    {"SMS DONE", 1, ready, true},
    {"+QIND: SMS DONE", 1, ready},
    {"+QINISTAT: 7", 1, ready},
    {"#QSS: 3", 1, ready},
    {"Call Ready", 1, noise, true},
    {"PB DONE", 1, noise, true},
    {"RDY", 1, boot, true},
    {"START", 1, boot, true},
    {"^SYSSTART", 1, boot},
    {"*ATREADY", 1, boot},
    {"+AT: READY", 1, boot},
    {"POWERED DOWN", 1, boot},
    {"NORMAL POWER DOWN", 1, boot},
    {"UNDER-VOLTAGE", 1, under_voltage},
    {"UNDER_VOLTAGE", 1, under_voltage},
    {"^SHUTDOWN", 1, boot},
    {"^BOOT:", 1, boot_repeated},
    {"+QIND:", 1, noise},
    {"+QINISTAT:", 1, noise},
    {"#QSS:", 1, noise},
    {"+CFUN:", 1, noise},
    {"+CIEV:", 1, noise},
    {"+WIND:", 1, noise},
    {"+ZUSIMR:", 1, noise},
    {"+ZEND", 1, noise},
    {"+ZDONR:", 1, noise},
    {"+PACSP", 1, noise},
    {"+CTZV:", 1, noise},
    {"*PSUTTZ:", 1, noise},
    {"DST:", 1, noise},
    {"+CGEV:", 1, noise},
    {"+STIN:", 1, noise},
    {"*PSNWID:", 1, noise},
    {"^", 1, noise},  // vendors' own: ^RSSI, ^HCSQ, ^MODE, ^RSSILVL, ^NDISSTAT, ^DSFLOWRPT, ^ORIG, ^CONF, ^CONN, ^CEND, ^STIN ...
};

bool is_bare(std::string_view line) {
    const char c = line.front();
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '"';
}

}  // namespace

std::span<const UrcRule> urc_rules() {
    return rules;
}

const UrcRule* find_rule(std::string_view line, std::span<const UrcRule> of) {
    const auto fits = [&](const UrcRule& rule) {
        return starts_with(line, rule.prefix) && (!rule.whole || line.size() == rule.prefix.size());
    };
    const auto found = std::ranges::find_if(of, fits);
    return found == of.end() ? nullptr : &*found;
}

Owner owner_of(std::string_view line, const Command* running, std::span<const UrcRule> of) {
    if (running && parse_final(line)) return Owner::final_result;
    if (running && !running->info_prefix.empty() && starts_with(line, running->info_prefix)) return Owner::command;
    if (find_rule(line, of)) return Owner::urc;
    if (running && running->shape == Shape::bare && is_bare(line)) return Owner::command;
    if (running && running->shape == Shape::loose) return Owner::command;
    return Owner::nobody;
}

std::optional<int> registration_stat(std::string_view line) {
    const Fields f{line};
    const auto first = f.number(0);
    if (f.size() < 2) return first;
    // A query's answer has <n> in front. The second field of a URC is <lac>: quoted, or four and more hex digits.
    const AtField& second = f[1];
    if (second.quoted || second.text.empty() || second.text.size() >= 4) return first;
    const auto stat = f.number(1);
    return stat ? stat : first;
}

}  // namespace conductor::at
