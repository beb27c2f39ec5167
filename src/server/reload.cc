#include "server/reload.h"

namespace millrace {

Reload::Reload(const ServeOptions& options) : options_(options), effective_(load_configuration(options.sources)) {}

Reload::Outcome Reload::read_again() {
  Configuration next = load_configuration(options_.sources);
  if (!next.problems.empty()) return {std::move(next.problems), {}};
  Outcome outcome;
  for (std::size_t i = 0; i < next.settings.size(); ++i) {
    EffectiveSetting& now = effective_.settings[i];
    const Setting& setting = *now.setting;
    if (next.settings[i].value.text == now.value.text) continue;
    if (setting.takes == Takes::kRestart) {
      outcome.needs_restart.push_back(dotted(setting));
    } else if (setting.apply(options_, next.settings[i].value)) {
      now = next.settings[i];
    }
  }
  return outcome;
}

}  // namespace millrace
