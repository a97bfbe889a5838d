#include "modem/profile/stick_state.hpp"

#include <algorithm>

namespace conductor::profile {
namespace {

enum class State : std::uint8_t { storage, network };

/// Product ids of sticks in the state that they start in, or that their firmware never leaves.
struct Row {
    std::string_view vendor, product;
    State state;
    std::string_view model;
};
constexpr Row rows[] = {
    {"12d1", "1446", State::storage, "Huawei E1xx, E173"},
    {"12d1", "14d1", State::storage, "Huawei E1xx"},
    {"12d1", "14fe", State::storage, "Huawei E352, E3131"},
    {"12d1", "1505", State::storage, "Huawei E398"},
    {"12d1", "151a", State::storage, "Huawei E3276"},
    {"12d1", "1520", State::storage, "Huawei K3765"},
    {"12d1", "1526", State::storage, "Huawei K3772"},
    {"12d1", "157d", State::storage, "Huawei E3372h"},
    {"12d1", "1f01", State::storage, "Huawei E353, E3372"},
    {"19d2", "2000", State::storage, "ZTE MF6xx"},
    {"19d2", "0083", State::storage, "ZTE MF190"},
    {"19d2", "0166", State::storage, "ZTE MF821"},
    {"19d2", "1225", State::storage, "ZTE MF823"},
    {"05c6", "1000", State::storage, "Qualcomm reference design"},
    {"05c6", "f000", State::storage, "Qualcomm reference design"},
    {"1c9e", "f000", State::storage, "Longcheer, Alcatel X220"},
    {"1bbb", "f000", State::storage, "Alcatel"},
    {"12d1", "14db", State::network, "Huawei E3131h, E3372h"},
    {"12d1", "14dc", State::network, "Huawei E3372h"},
    {"19d2", "1403", State::network, "ZTE MF8xx"},
    {"19d2", "1405", State::network, "ZTE MF823"},
};
/// Makers of modems alone: a device of theirs without a serial port is worth a word even where the table does not know it.
constexpr std::string_view makers[] = {"12d1", "19d2", "2c7c", "1e0e", "1199", "1bc7", "1e2d", "2cb7", "1c9e", "1bbb"};

std::optional<State> by_classes(std::span<const std::string> classes) {
    const auto only = [&](std::initializer_list<std::string_view> allowed) {
        return std::ranges::all_of(classes, [&](const std::string& c) { return std::ranges::find(allowed, c) != allowed.end(); });
    };
    if (classes.empty()) return std::nullopt;
    if (only({"08"})) return State::storage;
    // 02 and 0a: CDC Ethernet; e0: RNDIS; the storage beside them holds the drivers
    const bool network = std::ranges::find(classes, "02") != classes.end() || std::ranges::find(classes, "e0") != classes.end();
    if (network && only({"02", "0a", "e0", "08", "03"})) return State::network;
    return std::nullopt;
}

}  // namespace

std::optional<StickState> stick_state(std::string_view vendor_id, std::string_view product_id, std::string_view product,
                                      std::span<const std::string> classes) {
    const auto row = std::ranges::find_if(rows, [&](const Row& r) { return r.vendor == vendor_id && r.product == product_id; });
    std::optional<State> state;
    std::string_view name = product;
    if (row != std::end(rows)) {
        state = row->state;
        name = row->model;
    } else if (std::ranges::find(makers, vendor_id) != std::end(makers)) {
        state = by_classes(classes);
    }
    if (!state) return std::nullopt;
    const std::string what = name.empty() ? "A modem stick" : "A stick (" + std::string{name} + ")";
    if (*state == State::storage)
        return StickState{"mass-storage", what +
                                              " shows only its CD-ROM with drivers and is not switched to a modem yet: install "
                                              "usb-modeswitch and plug it in again; for a ZTE stick AT+ZCDRUN=8 ends this for good."};
    return StickState{"network-only", what +
                                          " is a network card with a web page (HiLink firmware) and has no AT port: this gateway cannot "
                                          "use it until its maker's \"stick\" firmware is on it, or its mode is switched."};
}

}  // namespace conductor::profile
