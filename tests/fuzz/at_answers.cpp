// Input: the lines of an answer. Every parser of answers and of URCs takes them, whatever they were meant for, and keeps its promises.
#include <cstdint>
#include <string>

#include "modem/at/answers.hpp"
#include "modem/at/errors.hpp"
#include "modem/at/fields.hpp"
#include "modem/at/urc.hpp"
#include "tests/fuzz/require.hpp"

using namespace conductor;
using namespace conductor::at;

namespace {

void check_pdu(const StoredPdu& pdu) {
    FUZZ_REQUIRE(pdu.stat >= 0 && pdu.stat <= 4);
    FUZZ_REQUIRE(!pdu.length || *pdu.length > 0);
    FUZZ_REQUIRE(pdu.hex.empty() || is_hex(pdu.hex));
    FUZZ_REQUIRE(!pdu.whole() || (pdu.length && !pdu.hex.empty()));
    const StoredKind kind = kind_of(pdu);
    FUZZ_REQUIRE(kind != StoredKind::report || pdu.hex.size() >= 4);
}

void check_line(const std::string& line) {
    const Fields fields{line};
    FUZZ_REQUIRE(fields.size() <= line.size() + 1);
    for (std::size_t i = 0; i <= fields.size(); ++i) FUZZ_REQUIRE(fields.text(i).size() <= line.size());
    if (const auto final = parse_final(line)) {
        const Failure failure{FailureKind::cms, final->code, Phase::after_ctrl_z};
        FUZZ_REQUIRE(!classify(failure).word.empty());
        FUZZ_REQUIRE(!word(*final).empty());
    }
    if (const UrcRule* rule = find_rule(line, urc_rules())) {
        const std::string both[] = {line, "07915155100010F9"};
        const auto urc = rule->parse(std::span{both}.first(static_cast<std::size_t>(rule->lines)));
        if (urc && std::holds_alternative<Stored>(*urc)) FUZZ_REQUIRE(std::get<Stored>(*urc).memory.size() <= line.size());
    }
    FUZZ_REQUIRE(command(line).line == line);
    (void)registration_stat(line);
    (void)quoted_words(line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::string> lines(1);
    for (std::size_t i = 0; i < size; ++i)
        if (data[i] == '\n')
            lines.emplace_back();
        else
            lines.back() += static_cast<char>(data[i]);
    std::erase_if(lines, [](const std::string& line) { return line.empty(); });  // as the lexer does
    for (const std::string& line : lines) check_line(line);
    if (const auto dbm = parse_csq(lines)) FUZZ_REQUIRE(*dbm >= -116 && *dbm <= -25);
    for (const StoredPdu& pdu : parse_cmgl(lines)) check_pdu(pdu);
    if (const auto pdu = parse_cmgr(lines)) check_pdu(*pdu);
    if (const auto number = parse_long_number(lines, 14)) FUZZ_REQUIRE(number->size() >= 14);
    if (const auto iccid = parse_crsm_iccid(lines)) FUZZ_REQUIRE(iccid->size() >= 18);
    if (const auto centre = parse_csca(lines)) FUZZ_REQUIRE(!centre->empty());
    FUZZ_REQUIRE(parse_cpms_test(lines).size() <= 3);
    if (const auto iccid = parse_iccid(lines))
        FUZZ_REQUIRE(iccid->size() >= 18 && iccid->find_first_not_of("0123456789") == std::string::npos);
    (void)parse_cpms(lines);
    (void)parse_cpin(lines);
    (void)parse_pin_tries(lines);
    (void)parse_cops(lines);
    (void)parse_numbers(lines);
    (void)parse_reference(lines);
    (void)parse_plain(lines);
    (void)parse_cnum(lines);
    return 0;
}
