// Neoway M590.
#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr std::string_view manufacturers[] = {"neoway"};
constexpr std::string_view models[] = {"M590"};
constexpr std::string_view stores[] = {"SM"};

constexpr Profile make() {
    Profile p = make_generic("neoway");
    p.receive_stores = stores;  // row 73: SM and ME are one store
    p.radio_off = "";           // row 73: stops talking with the radio off
    p.sim_needs_power = true;   // row 17
    return p;
}
constexpr Profile profile = make();

}  // namespace

const Family neoway{manufacturers, models, &profile};

}  // namespace conductor::profile
