#include "server/serve_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "server/configuration.h"
#include "server/ping.h"

namespace millrace {

namespace {

constexpr int kFailedExit = 1;
constexpr int kUsageExit = 2;

/// The settings' flags on one command, and what was given of them.
class SettingFlags {
 public:
  explicit SettingFlags(CLI::App& command) : texts_(settings_table().size()) {
    file_ = command.add_option("--config", sources_.file,
                               "configuration file; conf.d/*.toml beside it count too. By default " +
                                   std::string(kDefaultConfigFile) + ", if it is there");
    for (std::size_t i = 0; i < settings_table().size(); ++i) {
      const Setting& setting = settings_table()[i];
      const std::string name = "--" + std::string(setting.flag);
      const std::string help(setting.description);
      CLI::Option* const option = setting.kind == SettingKind::kFlag ? command.add_flag(name, texts_[i], help)
                                                                     : command.add_option(name, texts_[i], help);
      option->type_name(type_name(setting))->default_str(setting.initial);
      options_.push_back(option);
    }
  }

  ConfigSources given() {
    if (file_->count() > 0 && sources_.file.empty()) sources_.file = ".";  // an empty name is no file either
    for (std::size_t i = 0; i < options_.size(); ++i)
      if (options_[i]->count() > 0) sources_.flags.emplace_back(settings_table()[i].flag, texts_[i]);
    for (char** one = environ; *one != nullptr; ++one) sources_.environment.emplace_back(*one);
    return sources_;
  }

 private:
  static std::string type_name(const Setting& setting) {
    switch (setting.kind) {
      case SettingKind::kFlag:
        return "";
      case SettingKind::kCount:
        return "N";
      case SettingKind::kSize:
        return "SIZE";
      case SettingKind::kSeconds:
        return "DURATION";
      case SettingKind::kChoice: {
        std::string out;
        for (const std::string_view choice : setting.choices) out += (out.empty() ? "" : "|") + std::string(choice);
        return out;
      }
      default:
        return "TEXT";
    }
  }

  ConfigSources sources_;
  std::vector<std::string> texts_;
  std::vector<CLI::Option*> options_;
  CLI::Option* file_ = nullptr;
};

/// The exit code.
int say_problems(const Configuration& configuration) {
  for (const std::string& problem : configuration.problems) (void)complain({Code::kUsage, problem});
  return configuration.problems.empty() ? 0 : kUsageExit;
}

int check_config(const Configuration& configuration) {
  if (configuration.problems.empty()) {
    std::string read;
    for (const std::string& file : configuration.files) read += (read.empty() ? "" : ", ") + file;
    std::printf("The configuration is fine (%s).\n", read.empty() ? "there is no file" : read.c_str());
  }
  return say_problems(configuration);
}

int print_config(const Configuration& configuration) {
  if (configuration.problems.empty()) std::fputs(as_toml(configuration).c_str(), stdout);
  return say_problems(configuration);
}

}  // namespace

int complain(const Error& error) {
  std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(error.code)).c_str(), error.sentence.c_str());
  return error.code == Code::kUsage ? kUsageExit : kFailedExit;
}

std::variant<ServeOptions, int> parse_serve_command(int argc, char** argv) {
  CLI::App app("millraced: keeps files in step with many clients and sends only what changed");
  app.require_subcommand(1);
  app.footer("Accounts: millraced account --help, millraced token --help.");
  auto* const serve = app.add_subcommand("serve", "serve a data folder");
  auto* const check = app.add_subcommand("check-config", "say what is wrong with the configuration: exit code 2");
  auto* const print = app.add_subcommand("print-config", "print each setting and where its value comes from, as TOML");
  auto* const pinging = app.add_subcommand("ping", "ask whether the server answers: exit code 0 or 1");
  std::string url;
  pinging->add_option("url", url, "millrace://HOST[:PORT]; by default where the configuration has the server listen");
  app.set_version_flag("--version", std::string("millraced " MILLRACE_VERSION));
  SettingFlags serve_flags(*serve);
  SettingFlags check_flags(*check);
  SettingFlags print_flags(*print);
  SettingFlags ping_flags(*pinging);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageExit;
  }
  SettingFlags& flags = serve->parsed()   ? serve_flags
                        : check->parsed() ? check_flags
                        : print->parsed() ? print_flags
                                          : ping_flags;
  const ConfigSources sources = flags.given();
  Configuration configuration = load_configuration(sources);
  ServeOptions options = to_options(configuration);
  options.sources = sources;
  if (pinging->parsed() && configuration.problems.empty()) return ping(options, url);
  if (check->parsed()) return check_config(configuration);
  if (print->parsed()) return print_config(configuration);
  if (const int code = say_problems(configuration); code != 0) return code;
  return options;
}

}  // namespace millrace
