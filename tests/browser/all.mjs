// All tests of the pages, one after the other in one browser.
import './dashboard_test.mjs';
import './login_test.mjs';
import './files_test.mjs';
import './upload_test.mjs';
import './delta_test.mjs';
import './access_test.mjs';
