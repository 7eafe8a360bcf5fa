# Sourced by .ci/run. A stranger: an unprivileged user with an own home and an empty npm cache, a fresh clone of HEAD in an empty folder with
# nothing beside it, and an environment of PATH and HOME only, where PATH holds node, npm, npx, sh and the coreutils.
stranger_user=medzen-stranger-$$
stranger_root=$(mktemp -d "${TMPDIR:-/tmp}/medzen-stranger.XXXXXX") # here, as stages run in a shell of their own

make_stranger() {
  chmod 755 "$stranger_root" && mkdir "$stranger_root/home" "$stranger_root/bin" "$stranger_root/empty" || return 1
  useradd --system --no-create-home --home-dir "$stranger_root/home" --shell /bin/sh "$stranger_user" || return 1
  chown "$stranger_user" "$stranger_root/home" "$stranger_root/empty" || return 1
  local dirty
  dirty=$(git status --porcelain 2>/dev/null | wc -l)
  [ "$dirty" -eq 0 ] || echo "note: $dirty uncommitted files are not in the clone"
  # Never by hard links: to give them away would give the objects of this checkout away.
  git clone --quiet --no-hardlinks . "$stranger_root/empty/medzen" || return 1
  chown -R "$stranger_user" "$stranger_root/empty/medzen" && stranger_tools || return 1
  echo "$stranger_user, uid $(id -u "$stranger_user"), in $stranger_root/empty/medzen: node $(as_stranger node --version), npm $(as_stranger npm --version)" &&
    as_stranger sh -c 'set -e; [ "$(id -u)" -ne 0 ]; [ "$(ls ..)" = medzen ]; [ -z "$(ls -A "$HOME/.npm" 2>/dev/null)" ]; [ ! -e node_modules ]'
}

# Links node and npm into the stranger's PATH; where a home of root hides them, copies.
stranger_tools() {
  local bin=$stranger_root/bin tool node npm
  node=$(readlink -f "$(command -v node)") npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  if ! { stranger_may "$node" --version && stranger_may "$node" "$npm/bin/npm-cli.js" --version; } >/dev/null 2>&1; then
    echo "note: $node or $npm is closed to ordinary users and was copied"
    mkdir "$stranger_root/node" && cp "$node" "$stranger_root/node/node" && cp -RL "$npm" "$stranger_root/node/npm" || return 1
    chmod -R a+rX "$stranger_root/node" && chmod a+x "$stranger_root/node/node" || return 1
    node=$stranger_root/node/node npm=$stranger_root/node/npm
  fi
  ln -s "$node" "$bin/node" && ln -s "$npm/bin/npm-cli.js" "$bin/npm" && ln -s "$npm/bin/npx-cli.js" "$bin/npx" || return 1
  for tool in sh env $(stranger_coreutils); do
    tool=$(command -v "$tool") && ln -sf "$tool" "$bin/" || return 1
  done
}

stranger_coreutils() {
  if dpkg -L coreutils >/dev/null 2>&1; then dpkg -L coreutils | grep -E '^(/usr)?/bin/[^[]+$' | xargs -n 1 basename
  else echo cat chmod cp id ls mkdir mv rm uname; fi
}

stranger_may() { setpriv --reuid="$stranger_user" --regid="$(id -g "$stranger_user")" --clear-groups "$@"; }

# Runs a command in the clone. Of this environment only the way to the registry goes along, where this machine needs one.
as_stranger() {
  local name keep=()
  for name in NODE_EXTRA_CA_CERTS npm_config_registry HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || keep+=("$name=${!name}")
  done
  (cd "$stranger_root/empty/medzen" && stranger_may env -i PATH="$stranger_root/bin" HOME="$stranger_root/home" "${keep[@]}" "$@")
}

# Brings the results of its tests here, with the names that the files have here.
take_results() { # path, the same in both
  [ -f "$stranger_root/empty/medzen/$1" ] && mkdir -p "$(dirname "$1")" && sed "s|$stranger_root/empty/medzen/|$PWD/|g" "$stranger_root/empty/medzen/$1" >"$1"
}

remove_stranger() {
  rm -rf "$stranger_root"
  userdel "$stranger_user" 2>/dev/null || true
}
