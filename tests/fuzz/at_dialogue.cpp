// Input: one octet that picks the commands, one that seeds the cuts, then what a modem says. Whole, octet by octet and cut anywhere it
// gives the same events; each command ends at most once, and nothing grows without bound.
#include <cstdint>
#include <string>

#include "modem/at/dialogue.hpp"
#include "tests/fuzz/require.hpp"

using namespace conductor;
using namespace conductor::at;

namespace {

constexpr const char* commands[] = {"+CMGS=16", "+CMGL=4", "+CMGR=1", "+CGMM", "+CSQ", "+CPMS?", "+CUSD=1,\"*100#\",15", "+CREG?", "I", ""};

std::string text_of(const Urc& urc) {
    std::string out = "urc " + std::to_string(urc.index());
    if (const auto* u = std::get_if<Stored>(&urc)) out += u->memory + std::to_string(u->index);
    if (const auto* u = std::get_if<Direct>(&urc)) {
        FUZZ_REQUIRE(is_hex(u->hex));
        out += u->hex;
    }
    if (const auto* u = std::get_if<Ussd>(&urc)) out += u->text + std::to_string(u->dcs.value_or(-1)) + std::to_string(u->status);
    if (const auto* u = std::get_if<Registration>(&urc)) out += u->domain + std::to_string(u->stat);
    if (const auto* u = std::get_if<Reference>(&urc)) out += std::to_string(u->tp_mr);
    return out;
}

/// The events as text. A finished command is followed by the next one at once, as an eager host would.
class Run {
public:
    explicit Run(std::uint8_t first) : next_{first} { start(); }
    void feed(std::span<const std::uint8_t> octets) {
        dialogue_.feed(octets, [this](const Event& event) { on(event); });
    }
    std::string out;

private:
    void start() {
        Command c = command(commands[next_++ % std::size(commands)]);
        if (next_ % 3 == 0) c.shape = Shape::loose;
        dialogue_.start(std::move(c));
    }
    void on(const Event& event) {
        if (std::holds_alternative<Prompt>(event)) out += "prompt";
        if (const auto* f = std::get_if<Finished>(&event)) {
            FUZZ_REQUIRE(f->reply.lines.size() <= 2048);
            out += "finished " + word(f->reply.final);
            for (const std::string& line : f->reply.lines) check(line);
            start();
        }
        if (const auto* urc = std::get_if<Urc>(&event)) out += text_of(*urc);
        if (const auto* stray = std::get_if<Stray>(&event)) check(stray->line);
        out += '\n';
    }
    void check(const std::string& line) {
        FUZZ_REQUIRE(!line.empty() && line.size() <= Lexer::max_line);
        for (const char c : line) FUZZ_REQUIRE(static_cast<unsigned char>(c) >= 0x20);
        out += "|" + line;
    }

    Dialogue dialogue_;
    std::uint8_t next_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::span<const std::uint8_t> octets{data + 2, size - 2};
    Run whole{data[0]}, single{data[0]}, cut{data[0]};
    whole.feed(octets);
    for (std::size_t i = 0; i < octets.size(); ++i) single.feed(octets.subspan(i, 1));
    std::uint32_t seed = data[1] + 1U;
    for (std::size_t i = 0; i < octets.size();) {
        seed = seed * 1664525U + 1013904223U;
        const std::size_t n = std::min<std::size_t>(1 + (seed >> 24U) % 17, octets.size() - i);
        cut.feed(octets.subspan(i, n));
        i += n;
    }
    FUZZ_REQUIRE(whole.out == single.out);
    FUZZ_REQUIRE(whole.out == cut.out);
    return 0;
}
