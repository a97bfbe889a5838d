#include "daemon/store/witness.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "daemon/store/tables.hpp"

namespace conductor::store {
namespace {

constexpr std::size_t slot_size = 256;
constexpr std::string_view magic = "conductor-witness-1";
constexpr std::string_view tick_setting = "tick", backup_setting = "backup";

std::uint64_t checksum(std::string_view text) {  // FNV-1a
    std::uint64_t sum = 0xcbf29ce484222325ULL;
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return sum;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

std::int64_t number(std::string_view word) {
    std::int64_t value = 0;
    std::from_chars(word.data(), word.data() + word.size(), value);
    return value;
}

/// An empty word is written as "-", so that words can be told apart.
std::string_view written(std::string_view word) {
    return word.empty() ? "-" : word;
}
std::string read_word(std::string_view word) {
    return word == "-" ? "" : std::string{word};
}

struct Slot {
    std::uint64_t sequence = 0;
    Testimony testimony;
};

std::string encode(const Slot& slot) {
    const auto& [tick, schema, marks] = slot.testimony;
    std::string text = fmt::format("{} {} {} {} {} {} {} {} {} {} {}", magic, slot.sequence, tick.count, written(tick.word),
                                   written(tick.before), written(tick.machine), schema, marks[0], marks[1], marks[2], marks[3]);
    text += fmt::format(" {:016x}", checksum(text));
    text.resize(slot_size - 1, ' ');
    return text + '\n';
}

std::optional<Slot> decode(std::string_view text) {
    const auto end = text.find_last_not_of(" \n");
    if (end == text.npos) return std::nullopt;
    text = text.substr(0, end + 1);
    const auto words = words_of(text);
    if (words.size() != 12 || words[0] != magic) return std::nullopt;
    if (words[11] != fmt::format("{:016x}", checksum(text.substr(0, text.size() - 17)))) return std::nullopt;
    Slot slot{.sequence = static_cast<std::uint64_t>(number(words[1]))};
    slot.testimony = {
        .tick = {.count = number(words[2]), .word = read_word(words[3]), .before = read_word(words[4]), .machine = read_word(words[5])},
        .schema = number(words[6]),
        .marks = {number(words[7]), number(words[8]), number(words[9]), number(words[10])}};
    return slot;
}

/// The newer of the two slots.
std::optional<Slot> read_slots(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    std::optional<Slot> newest;
    for (const off_t at : {off_t{0}, off_t{slot_size}}) {
        std::array<char, slot_size> text{};
        if (::pread(fd, text.data(), text.size(), at) != static_cast<ssize_t>(text.size())) continue;
        auto slot = decode({text.data(), text.size()});
        if (slot && (!newest || slot->sequence > newest->sequence)) newest = std::move(slot);
    }
    ::close(fd);
    return newest;
}

}  // namespace

std::string machine_id() {
    constexpr sd_id128_t conductor = SD_ID128_MAKE(5d, 0b, 7a, 41, c3, 92, 4e, 6f, 9b, 14, 2e, 8d, 66, f0, a7, 31);
    sd_id128_t id{};
    if (::sd_id128_get_machine_app_specific(conductor, &id) < 0) return {};
    char text[SD_ID128_STRING_MAX];
    return ::sd_id128_to_string(id, text);
}

std::string boot_id() {
    sd_id128_t id{};
    if (::sd_id128_get_boot(&id) < 0) return {};
    char text[SD_ID128_STRING_MAX];
    return ::sd_id128_to_string(id, text);
}

Marks marks_of(Tx& tx) {
    Rows q = tx.query(
        "SELECT (SELECT max(id) FROM messages), (SELECT max(id) FROM attempts), (SELECT max(id) FROM incoming), (SELECT max(id) FROM "
        "audit)");
    return q.next() ? Marks{q.i64(0), q.i64(1), q.i64(2), q.i64(3)} : Marks{};
}

std::optional<Tick> tick_of(Tx& tx) {
    const auto text = get_setting(tx, tick_setting);
    if (!text) return std::nullopt;
    const auto words = words_of(*text);
    if (words.size() != 4) return std::nullopt;
    return Tick{.count = number(words[0]), .word = read_word(words[1]), .before = read_word(words[2]), .machine = read_word(words[3])};
}

void set_tick(Tx& tx, const Tick& tick) {
    set_setting(tx, tick_setting, fmt::format("{} {} {} {}", tick.count, written(tick.word), written(tick.before), written(tick.machine)));
    tx.run("DELETE FROM settings WHERE name = ?", backup_setting);
}

void mark_backup(Tx& tx, std::string_view what) {
    set_setting(tx, backup_setting, what);
}

std::string doubt(const std::optional<Testimony>& witness, const Found& found, std::string_view machine) {
    if (found.backup) return "it is a backup that was put in place";
    if (!found.tick) return witness ? "it is older than the last start" : "";  // neither: a database of its first start
    const auto& tick = *found.tick;
    if (!machine.empty() && !tick.machine.empty() && tick.machine != machine) return "it comes from another machine";
    if (!witness) return "the file that witnesses its history is gone";
    if (found.schema < witness->schema) return "its schema went backwards";
    for (std::size_t i = 0; i < found.marks.size(); ++i)
        if (found.marks[i] < witness->marks[i]) return "it is older than what this machine last wrote";
    const bool same = tick.count == witness->tick.count && tick.word == witness->tick.word;
    // the process ended between the commit of a tick and its note in the file
    const bool next = tick.count == witness->tick.count + 1 && tick.before == witness->tick.word;
    if (same || next) return {};
    return tick.count < witness->tick.count ? "it is older than what this machine last wrote" : "it was used elsewhere in the meantime";
}

std::optional<Testimony> Witness::read(const std::string& path) {
    const auto slot = read_slots(path);
    return slot ? std::optional{slot->testimony} : std::nullopt;
}

Witness::~Witness() {
    if (fd_ >= 0) ::close(fd_);
}

bool Witness::write(const Testimony& testimony, bool durable) {
    if (fd_ < 0) {
        if (const auto there = read_slots(path_)) sequence_ = there->sequence;
        fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd_ < 0) return false;
    }
    if (durable) ++sequence_;
    const std::string text = encode({.sequence = sequence_, .testimony = testimony});
    const off_t at = sequence_ % 2 == 0 ? 0 : static_cast<off_t>(slot_size);
    if (::pwrite(fd_, text.data(), text.size(), at) != static_cast<ssize_t>(text.size())) return false;
    return !durable || ::fdatasync(fd_) == 0;
}

}  // namespace conductor::store
