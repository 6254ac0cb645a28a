@echo off
rem Starts the course's `lab` command on Windows. The first time it makes a Python environment in .venv beside this file.
setlocal
set "root=%~dp0"
if "%root:~-1%"=="\" set "root=%root:~0,-1%"
set "venv=%root%\.venv"
set "python=%venv%\Scripts\python.exe"

set "requirements=requirements.txt"
if /i "%~1"=="test" set "requirements=requirements-dev.txt"
if not exist "%python%" goto setup
fc /b "%root%\%requirements%" "%venv%\%requirements%" >nul 2>&1 || goto setup
set "was="
set "found="
if exist "%venv%\root" set /p was=<"%venv%\root"
if not "%was%"=="%root%" goto setup
:run
"%python%" -I -m courselab %*
rem 103: the Python that the environment was made with is gone, after an upgrade say.
if %errorlevel% equ 103 if not defined found goto setup
exit /b %errorlevel%

:setup
set "found="
for %%c in ("py -3" python python3) do if not defined found (
    %%~c -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>&1 && set "found=%%~c"
)
if not defined found (
    echo lab: Python 3.11 or newer was not found 1>&2
    echo   why: None of py, python and python3 is new enough. 1>&2
    echo   fix: winget install Python.Python.3.13    then open a new terminal and run lab again. 1>&2
    exit /b 4
)
echo Setting up lab's Python environment ^(once, about half a minute^) ... 1>&2
rem An environment that was cut short, or whose Python is gone, is made anew.
"%python%" -c "import pip" >nul 2>&1 || %found% -m venv --clear "%venv%" || goto broken
"%python%" -m pip --disable-pip-version-check install --quiet --no-input --require-hashes --only-binary :all: -r "%root%\%requirements%" 1>&2 || goto broken
"%python%" -c "import pathlib, sys, sysconfig; pathlib.Path(sysconfig.get_path('purelib'), 'courselab.pth').write_text(sys.argv[1])" "%root%\src" || goto broken
copy /y "%root%\requirements.txt" "%venv%\requirements.txt" >nul
copy /y "%root%\%requirements%" "%venv%\%requirements%" >nul
rem Not echo: there may be an ampersand in it.
<nul set /p "=%root%" >"%venv%\root"
goto run

:broken
echo lab: The Python environment could not be made in "%venv%" 1>&2
echo   why: The lines above say what failed. 1>&2
echo   fix: Check the internet connection and that this folder can be written to, then run lab again. 1>&2
exit /b 4
