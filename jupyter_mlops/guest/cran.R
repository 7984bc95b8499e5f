# Packages of R from CRAN, or a mirror of it: Rscript cran.R plan|install NAME|NAME==1.0|NAME>=1.0 …
#
# Runs in build containers. `plan` prints a line `need NAME VERSION COMPILE` (yes or no) for each
# package that is to be installed, those that others depend on too; `install` installs them. What
# cannot be done is a line `mlops: KIND NAME …`, and exit code 3.

give_up <- function(kind, ...) {
  cat("mlops:", kind, ..., "\n")
  quit(status = 3)
}

parsed <- function(text) {
  at <- regexpr("(==|>=)", text)
  if (at < 0) {
    list(name = text, operator = "", version = "")
  } else {
    list(name = substr(text, 1, at - 1), operator = substr(text, at, at + 1),
         version = substring(text, at + 2))
  }
}

fits <- function(version, asked) {
  switch(asked$operator,
    "==" = numeric_version(version) == numeric_version(asked$version),
    ">=" = numeric_version(version) >= numeric_version(asked$version),
    TRUE
  )
}

installed <- function() {
  found <- installed.packages()[, "Version"]
  found[!duplicated(names(found))]
}

# The packages on the mirror that this R can have.
listed <- function(url, filters = NULL) {
  problems <- character()
  found <- withCallingHandlers(
    available.packages(contriburl = url, filters = filters),
    warning = function(w) {
      # Of each form of the list that the mirror does not have there is a warning, too.
      if (grepl("unable to access index", conditionMessage(w))) {
        problems <<- c(problems, conditionMessage(w))
      }
      invokeRestart("muffleWarning")
    }
  )
  if (length(problems)) give_up("unreachable", gsub("\\s+", " ", paste(problems, collapse = " ")))
  found
}

# Versions that are not the newest, as a repository of their own on this disk.
keep_old <- function(asked, remote, folder) {
  file <- sprintf("%s_%s.tar.gz", asked$name, asked$version)
  target <- file.path(folder, file)
  if (file.exists(target)) return()
  dir.create(folder, recursive = TRUE, showWarnings = FALSE)
  for (url in file.path(remote, c(file.path("Archive", asked$name, file), file))) {
    got <- tryCatch(suppressWarnings(download.file(url, target, mode = "wb", quiet = TRUE)),
                    error = function(e) 1)
    if (identical(as.integer(got), 0L)) return()
    unlink(target)
  }
}

main <- function(mode, asked) {
  remote <- contrib.url(getOption("repos")[["CRAN"]], "source")
  have <- installed()
  asked <- Filter(function(a) !(a$name %in% names(have)) || !fits(have[[a$name]], a), asked)
  if (!length(asked)) return()
  packages <- listed(remote)
  folder <- "/run/mlops/cran/src/contrib"
  for (a in asked) {
    newest <- if (a$name %in% rownames(packages)) packages[a$name, "Version"]
    if (a$operator == "==" && (is.null(newest) || !fits(newest, a))) keep_old(a, remote, folder)
  }
  if (length(list.files(folder, "[.]tar[.]gz$"))) {
    tools::write_PACKAGES(folder, type = "source")
    old <- listed(paste0("file://", folder), filters = list())
    packages <- rbind(old, packages[!(rownames(packages) %in% rownames(old)), , drop = FALSE])
  }
  for (a in asked) check(a, packages, remote)
  names <- vapply(asked, function(a) a$name, "")
  below <- setdiff(unlist(tools::package_dependencies(names, packages, recursive = TRUE)), names(have))
  if (mode == "install") {
    for (name in setdiff(below, rownames(packages))) give_up("missing", name)
    options(timeout = 600)
    install.packages(names, lib = Sys.getenv("R_LIBS_USER"), available = packages,
                     contriburl = unique(packages[, "Repository"]), type = "source")
    have <- installed()
    for (a in asked) {
      if (!(a$name %in% names(have)) || !fits(have[[a$name]], a)) give_up("failed", a$name)
    }
    return()
  }
  # What the mirror does not have, the distribution may.
  for (name in union(names, below)) {
    there <- name %in% rownames(packages)
    compiled <- !there || !identical(packages[name, "NeedsCompilation"], "no")
    cat("need", name, if (there) packages[name, "Version"] else "?",
        if (compiled) "yes" else "no", "\n")
  }
}

check <- function(a, packages, remote) {
  if (a$name %in% rownames(packages)) {
    version <- packages[a$name, "Version"]
    if (!fits(version, a)) give_up("version", a$name, version)
    return()
  }
  all <- listed(remote, filters = list())
  if (a$name %in% rownames(all)) give_up("newer", a$name, gsub("\\s+", " ", all[a$name, "Depends"]))
  alike <- rownames(all)[tolower(rownames(all)) == tolower(a$name)]
  give_up("missing", a$name, alike[seq_len(min(1, length(alike)))])
}

arguments <- commandArgs(trailingOnly = TRUE)
invisible(main(arguments[1], lapply(arguments[-1], parsed)))
