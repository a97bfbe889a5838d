// Recorded exchanges: each *.at runs whole, octet by octet, and cut at seeded places; the events must be those of its *.chk every time.
// CONDUCTOR_UPDATE=1 rewrites the *.chk files; the difference is to be reviewed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "modem/at/dialogue.hpp"
#include "modem/port/transcript.hpp"

using namespace conductor;
namespace fs = std::filesystem;

namespace {

std::string text_of(const at::Urc& urc) {
    const auto n = [](int v) { return std::to_string(v); };
    return std::visit(
        overloaded{[&](const at::Stored& u) { return std::string{u.report ? "stored-report " : "stored "} + u.memory + " " + n(u.index); },
                   [&](const at::Direct& u) {
                       return std::string{u.report ? "report " : "message "} + (u.length ? n(*u.length) : "?") + " " + u.hex;
                   },
                   [&](const at::Registration& u) { return "registration " + u.domain + " " + n(u.stat); },
                   [&](const at::Ussd& u) { return "ussd " + n(u.status) + " \"" + u.text + "\" " + (u.dcs ? n(*u.dcs) : "-"); },
                   [](const at::Ring&) { return std::string{"ring"}; },
                   [](const at::Boot& u) { return std::string{u.sure ? "boot " : "boot-line "} + u.text; },
                   [](const at::Ready&) { return std::string{"sms-ready"}; },
                   [](const at::StorageFull& u) { return "storage-full " + u.memory; },
                   [&](const at::Reference& u) { return "late-reference " + n(u.tp_mr); },
                   [](const at::SimChange& u) { return "sim " + u.text; }, [](const at::Noise&) { return std::string{"noise"}; }},
        urc);
}

std::string text_of(const at::Event& event) {
    return std::visit(overloaded{[](const at::Prompt&) { return std::string{"prompt"}; },
                                 [](const at::Finished& f) {
                                     std::string out = "finished " + at::word(f.reply.final);
                                     for (const std::string& line : f.reply.lines) out += "\n    " + line;
                                     return out;
                                 },
                                 [](const at::Urc& urc) { return "urc " + text_of(urc); },
                                 [](const at::Stray& s) { return (s.final ? "late-final " : "stray ") + s.line; }},
                      event);
}

/// `cut` gives the size of the next piece.
std::string replay(const port::Transcript& transcript, const std::function<std::size_t()>& cut) {
    at::Dialogue dialogue;
    std::string out;
    const auto sink = [&](const at::Event& event) { out += text_of(event) + "\n"; };
    for (const port::TranscriptStep& step : transcript.steps) {
        if (step.kind == port::TranscriptStep::Kind::sent) {
            const std::size_t at = step.octets.find("AT");
            const bool command = at != std::string::npos && step.octets.ends_with('\r');
            if (!command) continue;  // a PDU, or ESC
            if (dialogue.running()) {
                dialogue.abandon();
                out += "given up\n";
            }
            const std::string line = step.octets.substr(at + 2, step.octets.size() - at - 3);
            out += "> AT" + line + "\n";
            dialogue.start(at::command(line));
        }
        if (step.kind != port::TranscriptStep::Kind::received) continue;
        const auto* octets = reinterpret_cast<const std::uint8_t*>(step.octets.data());
        for (std::size_t i = 0; i < step.octets.size();) {
            const std::size_t n = std::min(std::max<std::size_t>(cut(), 1), step.octets.size() - i);
            dialogue.feed({octets + i, n}, sink);
            i += n;
        }
    }
    if (dialogue.running()) out += "no final result\n";
    return out;
}

std::string read(const fs::path& path) {
    std::ifstream in{path, std::ios::binary};
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("every transcript gives its events, however it is cut") {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator{fs::path{SOURCE_DIR} / "tests/replay"})
        if (entry.path().extension() == ".at") paths.push_back(entry.path());
    std::ranges::sort(paths);
    REQUIRE(paths.size() >= 15);
    for (const fs::path& path : paths) {
        CAPTURE(path.filename().string());
        const auto transcript = port::parse_transcript(read(path));
        REQUIRE(transcript.has_value());
        const std::string whole = replay(*transcript, [] { return std::size_t{1} << 20; });
        const fs::path expected = fs::path{path}.replace_extension(".chk");
        if (std::getenv("CONDUCTOR_UPDATE")) std::ofstream{expected, std::ios::binary} << whole;
        CHECK(whole == read(expected));
        CHECK(replay(*transcript, [] { return std::size_t{1}; }) == whole);
        for (unsigned seed = 1; seed <= 20; ++seed) {
            CAPTURE(seed);
            std::mt19937 rng{seed};
            CHECK(replay(*transcript, [&] { return std::size_t{rng() % 9 + 1}; }) == whole);
        }
    }
}
